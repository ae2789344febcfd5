"""Customer import in the admin: choose the brand, upload the file, check the report, confirm."""

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
from portal.brands.access import get_brands
from portal.i18n.translation import translate
from portal.models import Brand


class FileForm(forms.Form):
    """The CSV file to import, at most `MAX_BYTES`."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=_("UTF-8 with commas, semicolons or tabs. At most 2 MB and 20,000 rows."),
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        """Refuse a file that is too large before it is read."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > MAX_BYTES:
            raise ValidationError(_("This file is larger than 2 MB. Split it and import the parts."))
        return file


class CustomerImportMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Pages of the import: choose a brand, upload a file, confirm the report. For staff and operators."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_view), name="accounts_user_import"),
            path("import/template.csv", wrap(self.template_view), name="accounts_user_import_template"),
            path("import/<int:brand>/", wrap(self.file_view), name="accounts_user_import_file"),
            path("import/<int:brand>/<int:pk>/", wrap(self.report_view), name="accounts_user_import_report"),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Choose one of the user's brands; with a single brand, redirect to its file page."""
        brands = list(get_brands(request.user))
        if len(brands) == 1:
            return redirect("admin:accounts_user_import_file", brands[0].pk)
        return self._import_page(request, "brand", brands=brands)

    def template_view(self, request: HttpRequest) -> HttpResponse:
        """Return a file with only the header; the byte order mark tells spreadsheets that it is UTF-8."""
        headers = {"Content-Disposition": 'attachment; filename="customers.csv"'}
        body = "\ufeff" + ",".join(COLUMNS) + "\r\n"
        return HttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)

    def file_view(self, request: HttpRequest, brand: int) -> HttpResponse:
        """Store an uploaded file whose rows can be read. No customer is written yet."""
        chosen = get_object_or_404(get_brands(request.user), pk=brand)
        form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
        if form.is_valid():
            return self._store_file(request, chosen, form)
        return self._file_page(request, chosen, form)

    def _store_file(self, request: HttpRequest, brand: Brand, form: FileForm) -> HttpResponse:
        file: UploadedFile[bytes] = form.cleaned_data["file"]
        data = file.read()
        try:
            read_rows(data=data, brand=brand.slug)
        except ImportRefused as error:
            return self._file_page(request, brand, form, error)
        stored = store_import(brand=brand, by=cast(User, request.user), name=file.name or "", data=data)
        return redirect("admin:accounts_user_import_report", brand.pk, stored.pk)

    def _file_page(
        self, request: HttpRequest, brand: Brand, form: FileForm, error: ImportRefused | None = None
    ) -> HttpResponse:
        problems = [(each.line, translate(each.reason)) for each in error.problems] if error else []
        brands = get_brands(request.user)[:2]
        details = [name for name in COLUMNS if name not in REQUIRED]
        context = {"brand": brand, "form": form, "problems": problems, "others": len(brands) > 1}
        return self._import_page(request, "file", **context, required=REQUIRED, details=details)

    def report_view(self, request: HttpRequest, brand: int, pk: int) -> HttpResponse:
        """Show what the import would do now; on POST, do it if the report shown is still right."""
        brands = get_brands(request.user)
        chosen = get_object_or_404(brands, pk=brand)
        waiting = find_import(brands=brands.filter(pk=brand), by=cast(User, request.user), pk=pk)
        if waiting is None:
            words = gettext("This file is no longer waiting, because an hour has passed. Choose it again.")
            self.message_user(request, words, messages.WARNING)
            return redirect("admin:accounts_user_import_file", chosen.pk)
        if waiting.done_at:
            return self._redirect_already_imported(request, chosen)
        if request.method == "POST":
            if not recently_authenticated(request):
                return redirect_to_reauthentication(request, request.path)
            return self._confirm(request, waiting)
        return self._report_page(request, waiting, build_import_report(waiting=waiting))

    def _confirm(self, request: HttpRequest, waiting: CustomerImport) -> HttpResponse:
        expected, skip_invalid = request.POST.get("report", "-"), request.POST.get("rows") == "good"
        try:
            report = confirm_import(waiting=waiting, expected=expected or "-", skip_invalid=skip_invalid)
        except ImportDone:
            return self._redirect_already_imported(request, waiting.brand)
        except (ImportChanged, ImportRefused):
            # The report shown is out of date, or an address has just been taken.
            return self._report_page(request, waiting, build_import_report(waiting=waiting), changed=True)
        self._show_success(request, report)
        return self._redirect_to_list(waiting.brand)

    def _show_success(self, request: HttpRequest, report: Report) -> None:
        counts = report.counts
        words = gettext(
            "The file is imported. Created: %(created)d, updated: %(updated)d, unchanged: %(unchanged)d, "
            "bad and left out: %(bad)d."
        )
        self.message_user(request, words % vars(counts), messages.SUCCESS)

    def _redirect_already_imported(self, request: HttpRequest, brand: Brand) -> HttpResponse:
        words = gettext("This file has been imported already. Nothing was written a second time.")
        self.message_user(request, words, messages.INFO)
        return self._redirect_to_list(brand)

    def _redirect_to_list(self, brand: Brand) -> HttpResponse:
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
