"""Countries and provinces as Shopify names them.

What lives here: the names of all countries, and the provinces of those whose provinces are checked.
"""

_COUNTRIES = """
AC Ascension Island; AD Andorra; AE United Arab Emirates; AF Afghanistan; AG Antigua & Barbuda; AI Anguilla; AL
Albania; AM Armenia; AN Netherlands Antilles; AO Angola; AR Argentina; AT Austria; AU Australia; AW Aruba; AX
Åland Islands; AZ Azerbaijan; BA Bosnia & Herzegovina; BB Barbados; BD Bangladesh; BE Belgium; BF Burkina Faso;
BG Bulgaria; BH Bahrain; BI Burundi; BJ Benin; BL St. Barthélemy; BM Bermuda; BN Brunei; BO Bolivia; BQ
Caribbean Netherlands; BR Brazil; BS Bahamas; BT Bhutan; BV Bouvet Island; BW Botswana; BY Belarus; BZ Belize;
CA Canada; CC Cocos (Keeling) Islands; CD Congo - Kinshasa; CF Central African Republic; CG Congo - Brazzaville;
CH Switzerland; CI Côte d’Ivoire; CK Cook Islands; CL Chile; CM Cameroon; CN China; CO Colombia; CR Costa Rica;
CU Cuba; CV Cape Verde; CW Curaçao; CX Christmas Island; CY Cyprus; CZ Czechia; DE Germany; DJ Djibouti; DK
Denmark; DM Dominica; DO Dominican Republic; DZ Algeria; EC Ecuador; EE Estonia; EG Egypt; EH Western Sahara; ER
Eritrea; ES Spain; ET Ethiopia; FI Finland; FJ Fiji; FK Falkland Islands; FO Faroe Islands; FR France; GA Gabon;
GB United Kingdom; GD Grenada; GE Georgia; GF French Guiana; GG Guernsey; GH Ghana; GI Gibraltar; GL Greenland;
GM Gambia; GN Guinea; GP Guadeloupe; GQ Equatorial Guinea; GR Greece; GS South Georgia & South Sandwich Islands;
GT Guatemala; GW Guinea-Bissau; GY Guyana; HK Hong Kong SAR; HM Heard & McDonald Islands; HN Honduras; HR
Croatia; HT Haiti; HU Hungary; ID Indonesia; IE Ireland; IL Israel; IM Isle of Man; IN India; IO British Indian
Ocean Territory; IQ Iraq; IR Iran; IS Iceland; IT Italy; JE Jersey; JM Jamaica; JO Jordan; JP Japan; KE Kenya;
KG Kyrgyzstan; KH Cambodia; KI Kiribati; KM Comoros; KN St. Kitts & Nevis; KP North Korea; KR South Korea; KW
Kuwait; KY Cayman Islands; KZ Kazakhstan; LA Laos; LB Lebanon; LC St. Lucia; LI Liechtenstein; LK Sri Lanka; LR
Liberia; LS Lesotho; LT Lithuania; LU Luxembourg; LV Latvia; LY Libya; MA Morocco; MC Monaco; MD Moldova; ME
Montenegro; MF St. Martin; MG Madagascar; MK North Macedonia; ML Mali; MM Myanmar (Burma); MN Mongolia; MO Macao
SAR; MQ Martinique; MR Mauritania; MS Montserrat; MT Malta; MU Mauritius; MV Maldives; MW Malawi; MX Mexico; MY
Malaysia; MZ Mozambique; NA Namibia; NC New Caledonia; NE Niger; NF Norfolk Island; NG Nigeria; NI Nicaragua; NL
Netherlands; NO Norway; NP Nepal; NR Nauru; NU Niue; NZ New Zealand; OM Oman; PA Panama; PE Peru; PF French
Polynesia; PG Papua New Guinea; PH Philippines; PK Pakistan; PL Poland; PM St. Pierre & Miquelon; PN Pitcairn
Islands; PS Palestinian Territories; PT Portugal; PY Paraguay; QA Qatar; RE Réunion; RO Romania; RS Serbia; RU
Russia; RW Rwanda; SA Saudi Arabia; SB Solomon Islands; SC Seychelles; SD Sudan; SE Sweden; SG Singapore; SH St.
Helena; SI Slovenia; SJ Svalbard & Jan Mayen; SK Slovakia; SL Sierra Leone; SM San Marino; SN Senegal; SO
Somalia; SR Suriname; SS South Sudan; ST São Tomé & Príncipe; SV El Salvador; SX Sint Maarten; SY Syria; SZ
Eswatini; TA Tristan da Cunha; TC Turks & Caicos Islands; TD Chad; TF French Southern Territories; TG Togo; TH
Thailand; TJ Tajikistan; TK Tokelau; TL Timor-Leste; TM Turkmenistan; TN Tunisia; TO Tonga; TR Türkiye; TT
Trinidad & Tobago; TV Tuvalu; TW Taiwan; TZ Tanzania; UA Ukraine; UG Uganda; UM U.S. Outlying Islands; US United
States; UY Uruguay; UZ Uzbekistan; VA Vatican City; VC St. Vincent & Grenadines; VE Venezuela; VG British Virgin
Islands; VN Vietnam; VU Vanuatu; WF Wallis & Futuna; WS Samoa; XK Kosovo; YE Yemen; YT Mayotte; ZA South Africa;
ZM Zambia; ZW Zimbabwe
"""
_PROVINCES = {
    "US": """
AL Alabama; AK Alaska; AS American Samoa; AZ Arizona; AR Arkansas; CA California; CO Colorado; CT Connecticut;
DE Delaware; DC District of Columbia; FM Micronesia; FL Florida; GA Georgia; GU Guam; HI Hawaii; ID Idaho; IL
Illinois; IN Indiana; IA Iowa; KS Kansas; KY Kentucky; LA Louisiana; ME Maine; MH Marshall Islands; MD Maryland;
MA Massachusetts; MI Michigan; MN Minnesota; MS Mississippi; MO Missouri; MT Montana; NE Nebraska; NV Nevada; NH
New Hampshire; NJ New Jersey; NM New Mexico; NY New York; NC North Carolina; ND North Dakota; MP Northern
Mariana Islands; OH Ohio; OK Oklahoma; OR Oregon; PW Palau; PA Pennsylvania; PR Puerto Rico; RI Rhode Island; SC
South Carolina; SD South Dakota; TN Tennessee; TX Texas; UT Utah; VT Vermont; VI U.S. Virgin Islands; VA
Virginia; WA Washington; WV West Virginia; WI Wisconsin; WY Wyoming; AA Armed Forces Americas; AE Armed Forces
Europe; AP Armed Forces Pacific
""",
    "CA": """
AB Alberta; BC British Columbia; MB Manitoba; NB New Brunswick; NL Newfoundland and Labrador; NT Northwest
Territories; NS Nova Scotia; NU Nunavut; ON Ontario; PE Prince Edward Island; QC Quebec; SK Saskatchewan; YT
Yukon
""",
    "AU": """
ACT Australian Capital Territory; NSW New South Wales; NT Northern Territory; QLD Queensland; SA South
Australia; TAS Tasmania; VIC Victoria; WA Western Australia
""",
}  # fmt: skip


def _table(text: str) -> dict[str, str]:
    pairs = (" ".join(entry.split()).partition(" ") for entry in text.split(";"))
    return {code: name for code, _, name in pairs}


COUNTRIES = _table(_COUNTRIES)
PROVINCES = {country: _table(text) for country, text in _PROVINCES.items()}


def country_code(text: str) -> str | None:
    """The code of a country given by name or code; None when there is no such country."""
    return _code(COUNTRIES, text)


def province_code(country: str | None, text: str) -> str | None:
    """The code of a province given by name or code; as given where a country's provinces are not checked."""
    known = PROVINCES.get(country or "")
    return text if known is None else _code(known, text)


def _code(table: dict[str, str], text: str) -> str | None:
    wanted = text.strip().casefold()
    return next((code for code, name in table.items() if wanted in (code.casefold(), name.casefold())), None)
