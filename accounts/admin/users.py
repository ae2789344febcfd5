"""Admin of users: customers of all brands, staff and operators."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.actions import CustomerActionsMixin
from accounts.admin.authenticator import AuthenticatorMixin
from accounts.admin.customer_import import CustomerImportMixin
from accounts.admin.filters import BrandFilter, KindFilter, NumberFilter
from accounts.admin.forms import BrandsField, CustomerForm, NewCustomerForm, StaffForm
from accounts.admin.search import UserSearchMixin
from accounts.models import User
from accounts.services.change_log import describe_form_changes
from accounts.services.deactivation import end_sessions
from accounts.services.email_change import reset_email_proofs, send_email_changed_mails
from accounts.staff.totp import record_event
from accounts.staff.two_step import send_password_set_notice
from accounts.staff.views.base import get_signed_in_staff
from portal.admin.deletion import DeletionMixin
from portal.admin.pagination import BoundedListMixin
from portal.admin.reauthentication_mixin import ReauthenticationMixin
from portal.admin.scoping import ScopedAdmin
from portal.admin.site import site
from portal.brands.access import get_brands, is_operator
from portal.core.formats import zoned_time
from portal.models import Brand

_NAMES = ("first_name", "last_name", "company_name", "phone")
_HISTORY = (_("Dates"), {"fields": ("confirmed", "first_sign_in", "joined")})
# They decide which account a customer reads, and who signs in to it.
_DELICATE_FIELDS = {"brand", "email", "account_number", "carrier_email"}
_TIMES = ("confirmed", "first_sign_in", "last_sign_in", "joined")
_CARRIER = ("account_number", "account_type", "credit_limit", "carrier_email")


@admin.register(User, site=site)
class PortalUserAdmin(
    AuthenticatorMixin,
    CustomerImportMixin,
    CustomerActionsMixin,
    UserSearchMixin,
    BoundedListMixin,
    ReauthenticationMixin,
    DeletionMixin,
    ScopedAdmin,
    UserAdmin,  # type: ignore[type-arg]
):
    """Admin of users. Customers have no password and no permissions; staff have no account number.

    Operators see all users. Staff see, add and change only the customers of their own brands.
    """

    staff_may = ("view", "add", "change")
    list_display = ("page", "email", "is_active", "name", "brand", "account_number", "first_sign_in")
    list_display_links = ("email",)
    list_filter = (BrandFilter, KindFilter, NumberFilter, "is_active")
    ordering = ("email", "pk")
    filter_horizontal = ()
    add_form = NewCustomerForm
    add_form_template = "admin/accounts/user/change_form.html"
    add_fieldsets = (
        (
            _("Customer"),
            {
                "description": _(
                    "Staff and operators can't be added here yet. Use the create_staff or create_operator"
                    " command on the server."
                ),
                "fields": ("brand", "email", *_NAMES, *_CARRIER),
            },
        ),
    )
    customer_fieldsets = (
        (_("Customer"), {"fields": ("brand", "email", *_NAMES, "is_active")}),
        (
            _("At the carrier"),
            {"fields": (*_CARRIER, "refused_account_number", "clear_refused_number")},
        ),
        _HISTORY,
    )
    staff_fieldsets = (
        (_("Person"), {"fields": ("email", "first_name", "last_name", "password_in_words")}),
        (_("Permissions"), {"fields": ("is_active", "is_superuser", "brands")}),
        AuthenticatorMixin.device_fieldset,
        (_("Dates"), {"fields": ("last_sign_in", "joined")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Join the brands, without their logos."""
        return super().get_queryset(request).select_related("brand").defer("brand__logo")

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Leave out the filter by kind for staff: they see customers only."""
        filters = super().get_list_filter(request)
        if is_operator(request.user):
            return filters
        return [each for each in filters if each is not KindFilter]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Preselect the brand of staff who have only one."""
        brands = list(get_brands(request.user).values_list("pk", flat=True)[:2])
        initial = {"brand": brands[0]} if len(brands) == 1 else {}
        return {**initial, **super().get_changeform_initial_data(request)}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Title the list by the kind of user that it shows; staff see customers only."""
        kind = request.GET.get("kind", "") if is_operator(request.user) else "customer"
        title = KindFilter.options[kind][0] if kind in KindFilter.options else gettext("Customers and staff")
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Title the page by the kind of user."""
        user: User | None = kwargs.get("obj")
        if user is None:
            context["title"] = gettext("Add a customer")
        else:
            context["title"] = gettext("Customer") if user.brand_id else gettext("Staff account")
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Tell the template whose clock counts: that of the customer's brand."""
        user = self.get_object(request, object_id)
        brand = user.brand if user else None
        return super().history_view(request, object_id, {"brand": brand, **(extra_context or {})})

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj:
            kwargs.setdefault("form", CustomerForm if obj.brand_id else StaffForm)
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the refused account number only if there is one."""
        if not obj:
            return self.add_fieldsets
        if not obj.brand_id:
            return self.staff_fieldsets
        if obj.refused_account_number:
            return self.customer_fieldsets
        customer, _carrier, history = self.customer_fieldsets
        return (customer, (_("At the carrier"), {"fields": _CARRIER}), history)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Add fields that depend on the user: a customer keeps the brand; no user can lock themselves out."""
        shown = (*self.device_fields, "password_in_words", *_TIMES)
        if obj and obj.brand_id:
            return (*shown, "brand", "refused_account_number")
        return (*shown, "is_active", "is_superuser") if obj and obj.pk == request.user.pk else shown

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Offer the user's own brands by name, without links to add or change a brand."""
        if db_field.related_model is not Brand:
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        brands = get_brands(request.user)
        if db_field.many_to_many:
            field, widget = BrandsField, forms.CheckboxSelectMultiple
            return db_field.formfield(queryset=brands, form_class=field, widget=widget, **kwargs)
        return db_field.formfield(queryset=brands, widget=forms.Select, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for staff: deleting them would delete the history of what they did."""
        return bool(super().has_delete_permission(request, obj) and (obj is None or obj.brand_id))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show an error if the address or account number was taken while this form was being saved."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            words = gettext("Not saved. Another customer now has this email address or account number.")
            self.message_user(request, words, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def is_delicate(self, obj: User, form: Any, change: bool) -> bool:
        """Return True for changes to staff, new customers and `_DELICATE_FIELDS`; not for names or phones."""
        return not change or not obj.brand_id or bool(_DELICATE_FIELDS & {*form.changed_data})

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save; a new email address must be verified again."""
        if form.cleaned_data.get("clear_refused_number"):
            obj.refused_account_number = ""
        super().save_model(request, obj, form, change)
        if change and obj.brand_id and not obj.is_active and "is_active" in form.changed_data:
            end_sessions(customers=[obj])
        if change and obj.brand_id and "email" in form.changed_data:
            reset_email_proofs(user=obj, old=form.initial["email"])
            transaction.on_commit(lambda: self._send_notices(request, obj, form.initial["email"]))

    def _send_notices(self, request: HttpRequest, customer: User, old: str) -> None:
        """Mail both addresses. Called after the commit, so that a slow mail server holds no transaction."""
        if not send_email_changed_mails(user=customer, old=old):
            words = gettext(
                "The address has changed, but we couldn't email everyone who should know. Tell the "
                "customer yourself, at the old address (%(old)s) and the new one (%(new)s)."
            )
            self.message_user(request, words % {"old": old, "new": customer.email}, messages.WARNING)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Add old and new values of the logged fields to the history."""
        return describe_form_changes(
            form, super().construct_change_message(request, form, formsets, add), add=add
        )

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set a password. Only for staff: customers have none."""
        user = self.get_object(request, id)
        if user is None or user.brand_id:
            raise Http404
        old_password = user.password
        response = super().user_change_password(request, id, form_url)
        user.refresh_from_db(fields=["password"])
        if user.password != old_password:
            record_event(user=user, kind="password_set", by=get_signed_in_staff(request))
            if user.pk != request.user.pk and not send_password_set_notice(user=user):
                words = gettext("We couldn't email the person. Tell them yourself.")
                self.message_user(request, words, messages.WARNING)
        if isinstance(response, TemplateResponse):
            title = gettext("Set a password: %s") % user
            response.context_data = {**(response.context_data or {}), "title": title}
        return response

    @admin.display(description=_("Name"), ordering="last_name")
    def name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description=_("First sign-in"), ordering="verified_at")
    def first_sign_in(self, user: User) -> str:
        return _time(user, user.verified_at)

    @admin.display(description=_("Confirmed at the carrier"))
    def confirmed(self, user: User) -> str:
        return _time(user, user.confirmed_at)

    @admin.display(description=_("Last sign-in"))
    def last_sign_in(self, user: User) -> str:
        return _time(user, user.last_login)

    @admin.display(description=_("Added"))
    def joined(self, user: User) -> str:
        return _time(user, user.date_joined)

    @admin.display(description=_("Password"))
    def password_in_words(self, user: User) -> SafeString:
        """Return the state of the password, with a link to set one."""
        state = (
            gettext("A password is set.") if user.has_usable_password() else gettext("No password is set.")
        )
        url = reverse("admin:auth_user_password_change", args=(user.pk,))
        return format_html('{} <a href="{}">{}</a>', state, url, gettext("Set a new one"))


def _time(user: User, value: datetime | None) -> str:
    """Return a time, if there is one, by the clock of the customer's brand or, for staff, of the server."""
    return zoned_time(value, user.brand) if value else "–"
