"""An index is a table of item vectors that the database searches, whose recall was measured before anybody reads it.

vectors      what is indexed: items, their content's hash, the stamp of their vectors; what is refused
filters      what a request or a project may ask of an item's columns: as SQL, and as a mask
table        one generation as a table of the schema `mlctl`: copied, loaded, built, read back
search       the nearest items by SQL, and exactly in NumPy
recall       what the search finds of the exact answer, with its interval; how widely it must look
generations  the history of a project's indexes: half-made, live, old; the swap of the view
building     all of it in order, from where a killed command stopped
histories    what known users had, as one mapped file, for servers
decay        what has become of an index since: findings, and when it should be made anew
"""
