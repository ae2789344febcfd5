"""The admin of brands. Importing it registers its pages."""

from portal.admin import carrier_calls as carrier_calls
from portal.admin import emails as emails
from portal.admin.brand import brand_admin as brand_admin
