"""The tightest policy that still allows what was observed, proved narrower than the present one.

    observed    events of a record -> the calls that each grant carried, without those that a person reported
    rounding    numbers rounded outwards along a short list of steps
    shapes      values of one argument -> limits of named shapes that fit all of them, tightest first
    edits       a grant and its calls -> edits of the document, each with the entries it rests on
    proving     edits -> a document that is PROVED narrower; an edit without a proof is left out
    held_out    how many calls that weren't looked at would be refused
    writing     the document as text, each line explained
    denying     what a reported call suggests to deny more widely, for a person to judge

An agent chooses what is observed, so what it chose may only ever take something away: the proof is against the
document in force, and holds whatever the record says.
"""
