"""Admin of customers and staff. Importing the package registers its pages."""

from accounts.admin import users as users
