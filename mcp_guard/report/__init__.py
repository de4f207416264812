"""What a record says of how authority was used: granted against exercised, refusals with a likely cause, questions.

    seen        one decision, or one word about a question, as the reports read it
    use         what each grant carried: tools, arguments, how many different values
    slack       where a document is wider than what was used
    refused     refusals, grouped, each group with its likely cause
    asked       questions and their answers
    making      rows -> Report -> plain data
    sections    Report -> tables in words
    page, bars  the tables as one HTML file without scripts
    recorded    what a constraint says of a value that was never kept
    bounds      a document -> one that is never milder, one that is never stricter
    replay      recorded calls under another policy

Core. Pure over rows; the command reads the record and the documents.
"""
