"""mlctl: one YAML folder becomes a production machine-learning system.

Read the modules in the order of the data: config -> sources -> checks -> plan -> models -> release -> serving;
`flow.py` puts them in a row and `cli` is the door.
"""

__version__ = "0.1.0"
