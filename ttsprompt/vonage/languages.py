"""Languages that Vonage has a voice for, as far as is known (docs/vonage.md §2.1).

It may have more by now, so an unknown one is no fault: a dry run warns of it.
"""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = frozenset(
    """
    ar bn-IN ca-ES cmn-CN cmn-TW cs-CZ cy-GB da-DK de-DE el-GR en-AU en-GB en-GB-WLS en-IN en-US en-ZA es-ES es-MX
    es-US eu-ES fi-FI fil-PH fr-CA fr-FR he-IL hi-IN hu-HU id-ID is-IS it-IT ja-JP ko-KR ml-IN nb-NO nl-NL no-NO
    pl-PL pt-BR pt-PT ro-RO ru-RU sk-SK sv-SE ta-IN te-IN th-TH tr-TR uk-UA vi-VN yue-CN
    af-ZA bg-BG de-AT en-GB-SCT en-IE en-NZ es-CO gl-ES gu-IN kn-IN lt-LT lv-LV mr-IN ms-MY nl-BE pa-IN sr-RS
    """.split()  # noqa: SIM905 - as on the page
)
