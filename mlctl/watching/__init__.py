"""Watching: the monitors of a project run over days, and what they found is written down, a file a day.

shelf      the sketches on disk: which day, which origin, counted by which baseline
scored     batch scores that wait for their labels, and everything that was answered, as predictions
causes     what happened on a day and may be why something moved
watch      the windows of days, the monitors over them, the record
"""
