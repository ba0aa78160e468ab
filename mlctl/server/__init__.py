"""Answers over HTTP: a sealed release behind a few routes, and nothing that trains.

inputs      the rows of a request, or what is wrong with them
answers     a release at work: rows to answers
batching    requests that wait together are answered together
inference   the Open Inference Protocol: JSON and binary tensors
measures    what is counted, for Prometheus
pages       the routes described: OpenAPI, and a page for people
prediction_log   what was answered, one line a row
routes      the routes, a module a group
variants    which release answers which row
answering   rows to answers, behind every route
app         the routes as one application
stamps      what changes when a release is replaced
sockets     the listening socket, opened late and closed without cutting anybody off
listening   uvicorn: signals, and an end that cuts nobody off
refusing    a full queue says no before anything is made of a request
process     the process: what is opened, and what takes its place
"""
