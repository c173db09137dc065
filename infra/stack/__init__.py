"""The reference architecture on AWS, as a CDK app. How to use it: docs/stack.md.

Nothing of it is imported by the product: it has a dependency group (`infra`) and a virtual environment of its own.
"""
