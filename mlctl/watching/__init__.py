"""Watching: the monitors of a project run over days, and what they found is written down, a file a day.

causes     what happened on a day and may be why something moved
watch      the windows of days, the monitors over them, the record
"""
