"""Drafts a mandate from a task's text and the tools that there are, by fixed rules: no model, no guess that widens.

Core. Start at `draft.py`; `acts.py` says which tools a task asks for, `literals.py` what it names, `limits.py` what an
argument may be. A draft is a proposal: it grants nothing until a person has read it and starts a guard with it.
"""
