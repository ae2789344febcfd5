"""The admin of billing; importing it registers its pages."""

from billing.admin import transfers as transfers
