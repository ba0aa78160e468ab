"""t"""


def page(told):
    return ""
