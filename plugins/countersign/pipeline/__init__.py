"""The verbs: collect, admit, assess, seal, attest, render, sign, publish, verify.

Each verb is one module; the command line, the DAGs and the tests call the same functions.
"""
