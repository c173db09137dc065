"""Every operation of the fake."""

from stripe_fake import catalogue, invoices, meters, subscriptions

ROUTES = [*catalogue.ROUTES, *invoices.ROUTES, *meters.ROUTES, *subscriptions.ROUTES]
