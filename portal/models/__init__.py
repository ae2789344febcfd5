"""Models of the portal app: brands, and rows that belong to no customer."""

from portal.models.attempt import Attempt
from portal.models.brand import Brand, BrandHost, HttpsURLField
from portal.models.carrier_call import CarrierCall
from portal.models.carrier_names import MEANING_LABELS, MethodOverride, ResponseCode
from portal.models.email import Email
from portal.models.job_run import JobRun
from portal.models.preview import BrandPreview

__all__ = [
    "MEANING_LABELS",
    "Attempt",
    "Brand",
    "BrandHost",
    "BrandPreview",
    "CarrierCall",
    "Email",
    "HttpsURLField",
    "JobRun",
    "MethodOverride",
    "ResponseCode",
]
