"""The same two demands, to drop instructions and to hide something from the user, in other languages than English.

Core. Stems, in folded spelling (no accents, small letters). The anchor is the rarer word of each pair.
"""

from __future__ import annotations

from mcp_guard.inspection.scan.finding import Severity
from mcp_guard.inspection.scan.matching import words

_DROPPED = (
    # verb, what is dropped; in either order
    (r"ignorier|vergiss|vergess|missacht|uberschreib", r"anweisung|vorgaben|regeln|befehle|instruktion"),
    (
        r"ignor[ez]|oublie[rz]?\b|outrepass",
        r"instructions? precedent|precedentes? instruction|consignes?|directives precedent",
    ),
    (
        r"ignor[ae]\b|olvid[ae]|haz caso omiso|desobedec",
        r"instruccion|indicaciones|reglas anteriores|ordenes anteriores",
    ),
    (r"ignora(?:re)?\b|dimentica", r"istruzion|indicazioni precedenti|regole precedenti"),
    (r"ignor[ea]\b|esquec|desconsider", r"instruc(?:o|oe|ao)|orientacoes|regras anteriores"),
    (r"negeer|vergeet", r"instructies|aanwijzing|opdrachten|regels"),
    (r"ignorera|glom\b", r"instruktion|anvisning"),
    (r"ignoruj|zapomnij|pomin\b", r"instrukcj|polece|wytyczn"),
    (r"yok say|gormezden gel|unut", r"talimat|kurallar"),
    (r"игнорир|забудь|забыть|пренебрег", r"инструкц|указани|предыдущие правил|команды"),
    (r"忽略|无视|無視|忘记|忘記|忽視", r"指示|指令|说明|規則|规则|提示词"),
    (r"無視|忘れ", r"指示|命令|指令|ルール"),
    (r"무시|잊어", r"지시|명령|지침|규칙"),
    (r"تجاهل|انس\b", r"تعليمات|اوامر|أوامر|قواعد"),
    (r"अनदेखा|नजरअंदाज|नज़रअंदाज|भूल", r"निर्देश|नियम"),
)
_HIDDEN = (
    r"\bsag\w* (?:dem|der|den) (?:nutzer|benutzer|anwender|menschen)\w* (?:nichts|nicht)\b",
    r"\binformier\w* (?:den|die) (?:nutzer|benutzer|anwender)\w* nicht\b|\b(?:verschweig"
    r"|verheimlich)\w*\b.{0,40}?nutzer",
    r"\bne (?:le |lui |la |les )?(?:dis|dites|mentionne|mentionnez|revele|revelez|signale)\b.{0,30}?\butilisateur",
    r"\bno (?:se )?(?:lo |le )?(?:digas|informes|menciones|reveles|diga|informe)\b.{0,30}?\busuario",
    r"\bnon (?:dirlo|dire|informare|menzionare|rivelare)\b.{0,30}?\butente",
    r"\bnao (?:conte|diga|informe|mencione|revele)\b.{0,30}?\busuario",
    r"(?:不要|请勿|別|别|勿|不得)(?:把.{0,10})?(?:告诉|告知|告訴|提及|透露).{0,10}?(?:用户|用戶|使用者)",
    r"(?:ユーザー|利用者).{0,10}?(?:言わない|伝えない|知らせない|教えない)",
    r"не (?:говори|сообщаи|рассказываи|упоминаи|говорите|сообщаите)\b.{0,30}?пользовател",
    r"사용자.{0,10}?(?:알리지|말하지|언급하지)",
    r"(?:لا تخبر|لا تذكر).{0,20}?المستخدم",
    r"\b(?:zeg|vertel|meld) (?:het |dit )?niet\b.{0,20}?\bgebruiker|\bnie mow\b.{0,20}?uzytkownik",
)
_ANCHORS = (
    *("anweisung", "vorgaben", "regeln", "befehle", "instruktion", "instruction", "consigne", "directives prec"),
    *("instruccion", "indicaciones", "anteriores", "istruzion", "indicazioni", "regole prec", "instruc", "orientacoes"),
    *("instructies", "aanwijzing", "opdrachten", "regels", "anvisning", "instrukcj", "polece", "wytyczn", "talimat"),
    *("kurallar", "инструкц", "указани", "правил", "команды", "指示", "指令", "说明", "規則", "规则", "提示词", "命令"),
    *("ルール", "지시", "명령", "지침", "규칙", "تعليمات", "اوامر", "أوامر", "قواعد", "निर्देश", "नियम"),
)

RULES = (
    words(
        "overrides-instructions-elsewhere",
        Severity.SEVERE,
        "It tells the model, in another language than English, to drop the instructions that it has.",
        *(
            rf"(?:\b|(?=[^\x00-\x7f]))(?:{verb}).{{0,40}}?(?:{noun})|(?:{noun}).{{0,40}}?(?:{verb})"
            for verb, noun in _DROPPED
        ),
    ),
    words(
        "hides-from-user-elsewhere",
        Severity.SEVERE,
        "It tells the model, in another language than English, to keep something from the user.",
        *_HIDDEN,
    ),
)
