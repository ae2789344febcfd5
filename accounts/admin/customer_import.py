"""Import of customers in the admin: choose the brand, then the file, look at what would happen, confirm."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.import_report import report_context
from accounts.customer_import.csv_file import COLUMNS, MAX_BYTES, REQUIRED, read_rows
from accounts.customer_import.importer import ImportChanged, ImportRefused, Report
from accounts.customer_import.pending import (
    ImportDone,
    build_import_report,
    confirm_import,
    find_import,
    store_import,
)
from accounts.models import CustomerImport, User
from portal.admin.reauthentication import recently_authenticated, redirect_to_reauthentication
from portal.brands.access import brands_of
from portal.i18n.translation import translate
from portal.models import Brand


class FileForm(forms.Form):
    """The file, small enough to be looked at as a whole."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=_("UTF-8, with commas, semicolons or tabs; at most 2 MB and 20,000 rows."),
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        """Refuse what is too large before it is read."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > MAX_BYTES:
            raise ValidationError(_("This file is larger than 2 MB. Please split it, and import the parts."))
        return file


class ImportMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Three more pages for whoever works here: the brand, the file, the report."""

    def get_urls(self) -> list[URLPattern]:
        """The brand stands in the address of all that comes after it."""
        guarded = self.admin_site.admin_view
        return [
            path("import/", guarded(self.import_view), name="accounts_user_import"),
            path("import/template.csv", guarded(self.template_view), name="accounts_user_import_template"),
            path("import/<int:brand>/", guarded(self.file_view), name="accounts_user_import_file"),
            path(
                "import/<int:brand>/<int:pk>/", guarded(self.report_view), name="accounts_user_import_report"
            ),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Choose one of one's own brands; whoever has but one is led on."""
        brands = list(brands_of(request.user))
        if len(brands) == 1:
            return redirect("admin:accounts_user_import_file", brands[0].pk)
        return self._import_page(request, "brand", brands=brands)

    def template_view(self, request: HttpRequest) -> HttpResponse:
        """A file with the first line alone, which spreadsheets read as UTF-8 by its mark."""
        headers = {"Content-Disposition": 'attachment; filename="customers.csv"'}
        body = "\ufeff" + ",".join(COLUMNS) + "\r\n"
        return HttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)

    def file_view(self, request: HttpRequest, brand: int) -> HttpResponse:
        """Take a file whose rows can be told apart; nothing of it is written yet."""
        chosen = get_object_or_404(brands_of(request.user), pk=brand)
        form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
        if form.is_valid():
            return self._kept(request, chosen, form)
        return self._file_page(request, chosen, form)

    def _kept(self, request: HttpRequest, brand: Brand, form: FileForm) -> HttpResponse:
        file: UploadedFile[bytes] = form.cleaned_data["file"]
        data = file.read()
        try:
            read_rows(data=data, brand=brand.slug)
        except ImportRefused as refused:
            return self._file_page(request, brand, form, refused)
        kept = store_import(brand=brand, by=cast(User, request.user), name=file.name or "", data=data)
        return redirect("admin:accounts_user_import_report", brand.pk, kept.pk)

    def _file_page(
        self, request: HttpRequest, brand: Brand, form: FileForm, refused: ImportRefused | None = None
    ) -> HttpResponse:
        problems = [(each.line, translate(each.reason)) for each in refused.problems] if refused else []
        own = brands_of(request.user)[:2]
        details = [name for name in COLUMNS if name not in REQUIRED]
        context = {"brand": brand, "form": form, "problems": problems, "others": len(own) > 1}
        return self._import_page(request, "file", **context, required=REQUIRED, details=details)

    def report_view(self, request: HttpRequest, brand: int, pk: int) -> HttpResponse:
        """What the file would do now; on a POST, do it if that is what was shown."""
        brands = brands_of(request.user)
        chosen = get_object_or_404(brands, pk=brand)
        waiting = find_import(brands=brands.filter(pk=brand), by=cast(User, request.user), pk=pk)
        if waiting is None:
            words = gettext("This file is not waiting any more: an hour has passed. Please choose it again.")
            self.message_user(request, words, messages.WARNING)
            return redirect("admin:accounts_user_import_file", chosen.pk)
        if waiting.done_at:
            return self._done_before(request, chosen)
        if request.method == "POST":
            if not recently_authenticated(request):
                return redirect_to_reauthentication(request, request.path)  # The file waits.
            return self._confirmed(request, waiting)
        return self._report_page(request, waiting, build_import_report(waiting=waiting))

    def _confirmed(self, request: HttpRequest, waiting: CustomerImport) -> HttpResponse:
        shown, good = request.POST.get("report", "-"), request.POST.get("rows") == "good"
        try:
            report = confirm_import(waiting=waiting, expected=shown or "-", skip_invalid=good)
        except ImportDone:
            return self._done_before(request, waiting.brand)
        except (ImportChanged, ImportRefused):
            # What was shown is not what would happen now, or somebody was quicker with an address.
            return self._report_page(request, waiting, build_import_report(waiting=waiting), changed=True)
        self._say_done(request, report)
        return self._list_of(waiting.brand)

    def _say_done(self, request: HttpRequest, report: Report) -> None:
        counts = report.counts
        words = gettext(
            "The file is imported. Created: %(created)d, updated: %(updated)d, unchanged: %(unchanged)d, "
            "bad and left out: %(bad)d."
        )
        self.message_user(request, words % vars(counts), messages.SUCCESS)

    def _done_before(self, request: HttpRequest, brand: Brand) -> HttpResponse:
        words = gettext("This file has been imported already. Nothing was written a second time.")
        self.message_user(request, words, messages.INFO)
        return self._list_of(brand)

    def _list_of(self, brand: Brand) -> HttpResponse:
        return redirect(f"{reverse('admin:accounts_user_changelist')}?brand={brand.pk}")

    def _report_page(
        self, request: HttpRequest, waiting: CustomerImport, report: Report, *, changed: bool = False
    ) -> HttpResponse:
        context = {"waiting": waiting, "brand": waiting.brand, "changed": changed}
        return self._import_page(request, "report", **context, **report_context(report))

    def _import_page(self, request: HttpRequest, step: str, **context: Any) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Import customers"),
            "subtitle": str(context.get("brand") or "") or None,
            "opts": self.opts,
            **context,
        }
        return TemplateResponse(request, f"admin/accounts/user/import_{step}.html", context)
