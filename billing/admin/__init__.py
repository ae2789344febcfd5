"""Admin of billing. Importing the package registers its pages."""

from billing.admin import transfers as transfers
