"""The admin of people; importing it registers its pages."""

from accounts.admin import users as users
