"""The admin of billing; importing it registers its pages."""

from billing.admin import moves as moves
