"""The one place that touches the SDK's internals: every message it received goes to a conversation, raw.

The relay is the SDK server's only middleware, and answers everything itself, so that no typed model stands between a
client and the gateway: unknown fields, nulls and unknown content types survive. Below it are the SDK's sessions, eras
and headers; above it is `front.Conversation`. The middleware interface is provisional, and two attributes are private:
the dependency is pinned to one minor release, and `tests/transports/test_http.py` runs real clients against it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import anyio
import anyio.abc
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.dispatcher import Outbound
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import (
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    validate_mcp_param_headers,
)
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    ErrorData,
    InitializeRequestParams,
)
from mcp_types.methods import CLIENT_REQUESTS, SPEC_CLIENT_METHODS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError
from starlette.datastructures import Headers as StarletteHeaders

from mcp_guard.transports.front import TRACE, Answer, Ask, Cancel, Conversation, Conversations, Holder
from mcp_guard.transports.http_access import Headers, values
from mcp_guard.transports.http_caller import Caller
from mcp_guard.transports.http_direct import STOPPING
from mcp_guard.transports.http_intake import CALLER, report
from mcp_guard.transports.http_outbox import Outbox, UnderWay

REQUEST_CANCELLED = -32800
"""The SDK's code for a request that its client cancelled."""

InputSchema = Callable[[str, Holder], Mapping[str, Any] | None]
"""The inputSchema of a tool as this client is shown it, by its exposed name; None if it isn't."""
Context = ServerRequestContext[anyio.abc.TaskGroup, Any]


class Relay:
    """Middleware of the SDK's server; owns the conversations of this front.

    A legacy session has its own, for its life. In the modern era, which has no sessions, all requests of a principal
    share one: ids of requests under way are then not unique, and an exchange is known by its object only.
    """

    def __init__(self, conversations: Conversations, input_schema: InputSchema) -> None:
        self._conversations = conversations
        self._input_schema = input_schema
        self._sessions: dict[str, tuple[Holder, Conversation]] = {}
        self._initialized: set[str] = set()  # those of them whose `initialize` was answered
        self._shared: dict[Holder, Conversation] = {}
        self._live: set[Caller] = set()

    def server(self, name: str, version: str) -> Server[anyio.abc.TaskGroup]:
        """An SDK server that does nothing but ask this relay: its own middleware (OpenTelemetry) is taken out."""
        server = Server(name, version=version, lifespan=self._lifespan)
        server.middleware[:] = [self]
        return server

    @asynccontextmanager
    async def _lifespan(self, _: Server[anyio.abc.TaskGroup]) -> AsyncIterator[anyio.abc.TaskGroup]:
        try:
            async with anyio.create_task_group() as tasks:
                yield tasks
                tasks.cancel_scope.cancel()
        finally:
            for conversation in [*(one for _, one in self._sessions.values()), *self._shared.values()]:
                _safely(conversation.close)
            self._sessions.clear()
            self._initialized.clear()
            self._shared.clear()

    def stop(self) -> None:
        """Answer every request that is under way with an error, and cancel it downstream."""
        for caller in self._live:
            caller.give_up("the guard is stopping")

    def refused(self, holder: Holder, session: str | None, why: str) -> None:
        """Let a conversation of this client record what never became a message."""
        conversation = self._session(session or "", holder)
        _safely(lambda: (conversation or self._for_holder(holder)).refused(why))

    def _session(self, session: str, holder: Holder) -> Conversation | None:
        """The conversation of a session, for who opened it."""
        owner, conversation = self._sessions.get(session, (None, None))
        return conversation if owner == holder else None

    def begin(self, message: Mapping[str, Any], headers: Headers, session: str | None, caller: Caller) -> bool:
        """Hand over a request that needs nothing of the SDK (`http_direct`); False: it does need something.

        `session` is None in the modern era, whose checks are the SDK's own. What is begun is in `caller`.
        """
        under_way = caller.under_way = UnderWay()
        try:
            conversation = self._conversation_for(message, headers, session, caller.holder)
            if conversation is None:
                caller.under_way = None
                return False
            self._live.add(caller)
            TRACE.set(next((value.decode("latin-1")[:64] for value in values(headers, b"traceparent")), ""))
            params, can_ask = message.get("params"), session is not None
            under_way.begin(conversation, message["method"], params, message["id"], can_ask=can_ask)
        except Exception as failure:  # it may have been sent: it isn't handed over again
            report(failure)
            under_way.fail(INTERNAL_ERROR, "internal error")
        return True

    def _conversation_for(
        self, message: Mapping[str, Any], headers: Headers, session: str | None, holder: Holder
    ) -> Conversation | None:
        """Whose request it is; None where the SDK wouldn't let it through: so that the refusal is its own."""
        if session is not None:
            return self._session(session, holder) if session in self._initialized else None
        said = StarletteHeaders(raw=list(headers))
        if not isinstance(classify_inbound_request(message, headers=said), InboundModernRoute):
            return None
        refused = self._param_rejection(message["method"], message.get("params"), said, holder)
        return self._for_holder(holder) if refused is None else None

    def begun_is_lost(self, session: str | None) -> bool:
        """Has the session ended in which a request was begun? The SDK would say then that nothing was done."""
        return session is not None and session not in self._initialized

    def over(self, caller: Caller) -> None:
        """The request that was begun is served."""
        self._live.discard(caller)
        _safely(caller.end)

    async def __call__(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        try:
            if ctx.request_id is None:
                self._notification(ctx)
                return None
            return await self._request(ctx)
        except MCPError:
            raise
        except Exception as failure:
            report(failure)
            _fail(INTERNAL_ERROR, "internal error")  # a text of ours: the SDK would send the exception's own

    def _notification(self, ctx: Context) -> None:
        """Hand over a notification; none arrives in the modern era, where the SDK drops them."""
        conversation = self._session(_session_id(ctx), _caller(ctx).holder)
        if conversation is None or not _initialized(ctx):
            return
        if ctx.method == "notifications/cancelled":  # the SDK has cancelled the request's scope
            return
        conversation.notification(ctx.method, _params(ctx))

    async def _request(self, ctx: Context) -> dict[str, Any]:
        caller = _caller(ctx)
        try:
            return await self._carry(ctx, caller)
        finally:
            caller.answered()

    async def _carry(self, ctx: Context, caller: Caller) -> dict[str, Any]:
        if ctx.method in SPEC_CLIENT_METHODS and (ctx.method, ctx.protocol_version) not in CLIENT_REQUESTS:
            _fail(METHOD_NOT_FOUND, "Method not found", ctx.method)  # removed at this revision, or not there yet
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            self._check_param_headers(ctx, caller.holder)
            return await self._exchange(ctx, caller, self._for_holder(caller.holder))
        if ctx.method == "initialize":
            return await self._initialize(ctx, caller)
        conversation = self._session(_session_id(ctx), caller.holder)
        if conversation is None or not _initialized(ctx):
            _fail(INVALID_PARAMS, "not initialized")
        return await self._exchange(ctx, caller, conversation)

    async def _initialize(self, ctx: Context, caller: Caller) -> dict[str, Any]:
        caller.established = False
        try:  # the SDK checks them after the answer: too late for a conversation that has begun
            InitializeRequestParams.model_validate(ctx.params or {}, by_name=False)
        except ValidationError:
            _fail(INVALID_PARAMS, "Invalid request parameters")
        session = _session_id(ctx)
        conversation = self._session(session, caller.holder) or self._open_session(ctx, session, caller.holder)
        result = await self._exchange(ctx, caller, conversation)
        caller.established = True
        self._initialized.add(session)
        return result

    def _open_session(self, ctx: Context, session: str, holder: Holder) -> Conversation:
        connection = ctx.session._connection
        outbox = Outbox()
        ask = _asker(ctx.lifespan_context, connection.outbound)
        conversation = self._conversations.open(
            principal=holder.principal, notify=outbox.put, ask=ask, grant=holder.grant
        )
        self._sessions[session] = (holder, conversation)

        def close() -> None:
            outbox.close()
            self._initialized.discard(session)
            if self._sessions.pop(session, None) is not None:
                _safely(conversation.close)

        connection.exit_stack.callback(close)  # runs when the session ends: DELETE, idle, or the front's end
        ctx.lifespan_context.start_soon(_write_out, outbox, connection.outbound.notify)
        return conversation

    def _for_holder(self, holder: Holder) -> Conversation:
        conversation = self._shared.get(holder)
        if conversation is None:  # what belongs to no request has no way to a client in this era
            conversation = self._conversations.open(
                principal=holder.principal, notify=lambda method, params: None, grant=holder.grant
            )
            self._shared[holder] = conversation
        return conversation

    async def _exchange(self, ctx: Context, caller: Caller, conversation: Conversation) -> dict[str, Any]:
        """Carry one request to its answer. When nobody waits for that any more, cancel it downstream."""
        assert ctx.request_id is not None  # noqa: S101 - a request has one
        # In the modern era a server asks in its results: nothing is asked on the way.
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        way = None if modern else _asker(ctx.lifespan_context, ctx.session._request_outbound)
        under_way = caller.take_over()  # what `http_direct` has begun is gone on with: never carried twice
        if under_way is None:
            under_way = UnderWay()
            TRACE.set(_trace_of(ctx))  # of this request's own task
            under_way.begin(conversation, ctx.method, _params(ctx), ctx.request_id, can_ask=not modern)
        if way is not None:
            under_way.ask_by(way)
        self._live.add(caller)
        try:
            with caller.patience:
                await under_way.outbox.drain(ctx.session._request_outbound.notify)
        finally:
            self._live.discard(caller)
            _safely(lambda: under_way.cancel(caller.reason))
        if under_way.answer is None:
            if caller.cancelled:
                _fail(REQUEST_CANCELLED, "Request cancelled")  # as the SDK says it of one that it cancels
            _fail(STOPPING, "the guard stopped before an answer came")  # of a client that left, nobody reads it
        return _result(under_way.answer)

    def _check_param_headers(self, ctx: Context, holder: Holder) -> None:
        if ctx.request is None:
            return
        rejection = self._param_rejection(ctx.method, ctx.params, ctx.request.headers, holder)
        if rejection is not None:
            _fail(rejection.code, rejection.message, rejection.data)

    def _param_rejection(
        self, method: str, params: Mapping[str, Any] | None, headers: Mapping[str, str], holder: Holder
    ) -> InboundLadderRejection | None:
        """Compare `Mcp-Param-*` headers with the arguments that the tool's schema binds them to.

        The SDK has this check too, but lets a call pass when the schema can't be looked up; here an exception refuses.
        """
        params = params or {}
        name, arguments = params.get("name"), params.get("arguments")
        if method != "tools/call" or not isinstance(name, str):
            return None
        schema = self._input_schema(name, holder)
        if schema is None:
            return None
        return validate_mcp_param_headers(schema, arguments if isinstance(arguments, Mapping) else {}, headers)


def _caller(ctx: Context) -> Caller:
    assert ctx.request is not None  # noqa: S101 - over HTTP there is one
    caller: Caller = ctx.request.scope[CALLER]
    return caller


def _session_id(ctx: Context) -> str:
    return ctx.session._connection.session_id or ""


def _initialized(ctx: Context) -> bool:
    """Was an `initialize` answered on this session? A bare `notifications/initialized` doesn't count."""
    return ctx.session._connection.client_params is not None


def _params(ctx: Context) -> dict[str, Any] | None:
    return None if ctx.params is None else dict(ctx.params)


def _result(message: dict[str, Any]) -> dict[str, Any]:
    """The result of an answer, or its error raised as the SDK wants it."""
    if "error" not in message:
        result: dict[str, Any] = message["result"]
        return result
    failure = MCPError(INTERNAL_ERROR, "")
    failure.error = ErrorData.model_validate(message["error"])
    raise failure


def _trace_of(ctx: Context) -> str:
    return "" if ctx.request is None else str(ctx.request.headers.get("traceparent", ""))[:64]


def _fail(code: int, message: str, data: Any = None) -> NoReturn:
    raise MCPError(code, message, data) from None


def _safely(action: Callable[[], object]) -> None:
    """Do what belongs to one conversation; its failure must not reach the others, nor a client."""
    try:
        action()
    except Exception as failure:
        report(failure)


def _asker(tasks: anyio.abc.TaskGroup, outbound: Outbound) -> Ask:
    """Asks the client on this way; a cancellation is told to it by the SDK."""

    def ask(method: str, params: dict[str, Any] | None, answer: Answer) -> Cancel:
        scope = anyio.CancelScope()

        async def run() -> None:
            reply: dict[str, Any] = {"error": {"code": INTERNAL_ERROR, "message": "the client could not be asked"}}
            try:
                with scope:
                    reply = {"result": await outbound.send_raw_request(method, params)}
            except MCPError as failure:
                reply = {"error": failure.error.model_dump(exclude_none=True)}
            except Exception as failure:
                report(failure)
            if not scope.cancel_called:
                _safely(lambda: answer(reply))

        tasks.start_soon(run)
        return lambda _: scope.cancel()

    return ask


async def _write_out(outbox: Outbox, write: Callable[[str, dict[str, Any] | None], Awaitable[None]]) -> None:
    try:
        await outbox.drain(write)
    except Exception as failure:
        report(failure)
