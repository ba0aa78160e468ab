"""The routes, a module a group; each gives `routes(answering)`, and `mlctl/server/app.py` puts them together.

predictions      plain JSON: one row or several; what moved the scores
features         features by key from the online store
open_inference   the Open Inference Protocol, version 2
described        counters, OpenAPI, and the page for people
"""
