"""Adapters for AWS; the only package that may import boto3."""
