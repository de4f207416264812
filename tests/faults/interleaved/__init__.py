"""Conversations in which everything goes wrong at once, in time that leaps: is each request still answered, once?"""
