"""What is out of the ordinary, judged from what the record tells. Core: no clock, no files, no waiting."""
