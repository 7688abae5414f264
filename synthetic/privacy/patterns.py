"""The formats of secrets: where to look, and what must stand there.

A format is known by literals, which are looked for first and fast, and by an expression, which is matched only where a
literal stands. Only formats with an anchor are listed (a prefix, or a keyword beside the value): a hash, an identifier
or a long number is none. To add one, add a line to `PATTERNS`; `tests/planted.py` makes a value of each.
"""

import binascii
import re
from dataclasses import dataclass

# A value begins where no letter or digit stands before it, or after an escape of JSON or of a URL: `\nsk-…`, `%3Dsk-…`.
_LEFT = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_RIGHT = r"(?![A-Za-z0-9])"
# Between a keyword and its value: quotes, colons, equal signs, spaces, escapes of JSON, also of JSON within JSON.
_IS = r"""(?:\\*["'`]|[\s:=>(,]|\\+[nt])"""
_SPACE = r"(?:\s|\\+[nrt])+"


@dataclass(frozen=True)
class Pattern:
    """One format."""

    name: str
    literals: tuple[str, ...]
    """One of these stands at the beginning of every value, or `back` bytes after it; lower case when `any_case`."""
    regex: re.Pattern[bytes]
    """Its last group, or all of it, is the secret part, which must not be a placeholder."""
    back: int = 0
    any_case: bool = False


def _starts(name: str, *prefixes: str, then: str, right: str = _RIGHT) -> Pattern:
    """A secret that begins with one of these prefixes."""
    either = "|".join(map(re.escape, prefixes))
    return Pattern(name, prefixes, re.compile(f"{_LEFT}(?:{either})({then}){right}".encode()))


def _beside(name: str, *words: str, value: str, between: str = "") -> Pattern:
    """A secret that a keyword introduces, in upper or lower case: `WANDB_API_KEY=…`, `"wandb_key": "…"`."""
    either = "|".join(map(re.escape, words))
    text = f"(?i:{either}){between}{_IS}{{1,12}}({value}){_RIGHT}"
    return Pattern(name, words, re.compile(text.encode()), any_case=True)


_B62 = "[A-Za-z0-9]"
_URL64 = "[A-Za-z0-9_-]"
_HEX = "[0-9a-f]"
_UUID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
# The index's own name, in parts, so that nothing takes this line for a token.
_INDEX = "py" + "pi-"
# Words a key's name is made of, for keys that have no prefix: OPENAI_API_KEY, cohere-api-key, "apiKey".
_KEY = r"(?i:[_\-. ]?(?:api|secret|access|auth)?[_\-. ]?(?:key|token|secret|password))"

PATTERNS: tuple[Pattern, ...] = (
    # models and machine learning
    _starts("hugging_face_token", "hf_", then=f"{_B62}{{34}}", right="(?![A-Za-z0-9_])"),
    _starts("hugging_face_organization_token", "api_org_", then=f"{_B62}{{34}}"),
    _starts("anthropic_key", "sk-ant-", then=f"[a-z]+[0-9]{{2}}-{_URL64}{{32,}}"),
    _starts("openai_project_key", "sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-", then=f"{_URL64}{{40,}}"),
    _starts("openai_key", "sk-", then=f"{_B62}{{48}}|{_HEX}{{32}}|{_B62}{{20}}T3BlbkFJ{_B62}{{20}}"),
    _starts("openrouter_key", "sk-or-v1-", then=f"{_HEX}{{64}}"),
    _starts("groq_key", "gsk_", then=f"{_B62}{{52}}"),
    _starts("xai_key", "xai-", then=f"{_B62}{{80}}"),
    _starts("nvidia_key", "nvapi-", then=f"{_URL64}{{60,}}"),
    _starts("together_key", "tgp_v1_", then=f"{_URL64}{{40,}}"),
    _starts("cerebras_key", "csk-", then=f"{_B62}{{40,}}"),
    _starts("jina_key", "jina_", then=f"{_URL64}{{56,}}"),
    _starts("elevenlabs_key", "sk_", then=f"{_HEX}{{48}}"),
    _starts("tavily_key", "tvly-", then=f"(?:dev-|prod-)?{_B62}{{28,}}"),
    _starts("firecrawl_key", "fc-", then=f"{_HEX}{{32}}"),
    _starts("langfuse_key", "sk-lf-", then=_UUID),
    _starts("daytona_key", "dtn_", then=f"{_HEX}{{60,}}"),
    _beside("modal_secret", "modal", value=f"as-{_B62}{{20,}}", between=_KEY + "(?i:_secret)?"),
    _starts("replicate_token", "r8_", then=f"{_B62}{{37}}"),
    _starts("perplexity_key", "pplx-", then=f"{_B62}{{40,}}"),
    _starts("prime_intellect_key", "pit_", then=f"{_B62}{{32,}}"),
    _starts("wandb_key_v1", "wandb_v1_", then="[A-Za-z0-9_]{40,}"),
    _beside("wandb_key", "wandb", value=f"{_HEX}{{40}}", between=f"(?:{_KEY}|(?i: login))?(?i:[ _]--relogin)?"),
    _starts("langsmith_key", "lsv2_pt_", "lsv2_sk_", then=f"{_HEX}{{32}}_{_HEX}{{10}}"),
    _starts("pinecone_key", "pcsk_", then=f"{_B62}{{4,8}}_{_B62}{{48,}}"),
    _starts("e2b_key", "e2b_", then=f"{_HEX}{{40}}"),
    _starts("runpod_key", "rpa_", then="[A-Z0-9]{40,}[a-z0-9]{0,8}"),
    _starts("kaggle_token", "KGAT_", then=f"{_HEX}{{32}}"),
    _beside(
        "model_provider_key",
        *("openai", "anthropic", "cohere", "mistral", "together", "fireworks", "deepseek", "gemini", "azure_openai"),
        value=f"{_B62}{{32,64}}",
        between=_KEY,
    ),
    # code and packages
    _starts("github_token", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", then=f"{_B62}{{36,251}}"),
    _starts("github_fine_grained_token", "github_pat_", then=f"{_B62}{{22}}_{_B62}{{59}}"),
    _starts(
        "gitlab_token",
        *(
            "glpat-",
            "gldt-",
            "glrt-",
            "glcbt-",
            "glptt-",
            "glft-",
            "glimt-",
            "glsoat-",
            "glagent-",
            "gloas-",
            "glffct-",
        ),
        then=f"{_URL64}{{20,}}",
    ),
    _starts("npm_token", "npm_", then=f"{_B62}{{36}}"),
    _starts("package_index_token", _INDEX, then=f"AgE{_URL64}{{50,}}"),
    _starts("rubygems_key", "rubygems_", then=f"{_HEX}{{48}}"),
    _starts("docker_token", "dckr_pat_", "dckr_oat_", then=f"{_URL64}{{27,}}"),
    _starts("postman_key", "PMAK-", then=f"{_HEX}{{24}}-{_HEX}{{34}}"),
    _starts("figma_token", "figd_", then=f"{_URL64}{{38,}}"),
    _starts("one_password_token", "ops_eyJ", then=f"{_URL64}{{100,}}={{0,2}}"),
    _starts("sentry_token", "sntrys_", "sntryu_", then="[A-Za-z0-9+/=_]{60,}"),
    # clouds
    _starts("aws_key_id", "AKIA", "ASIA", "ABIA", "ACCA", then="[A-Z2-7]{16}"),
    _beside(
        "aws_secret",
        *("aws", "secretaccesskey", "secret_access_key"),
        value="[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        between=r"(?i:[_\-. a-z]{0,24})",
    ),
    _starts("aws_session_token", "IQoJb3JpZ2lu", "FwoGZXIvYXdz", then="[A-Za-z0-9+/%]{100,}={0,2}"),
    _starts("aws_bedrock_key", "ABSKQmVkcm9ja0FQSUtleS", then="[A-Za-z0-9+/]{80,}={0,2}"),
    _starts("google_api_key", "AIza", then=f"{_URL64}{{35}}"),
    _starts("google_oauth_secret", "GOCSPX-", then=f"{_URL64}{{28}}"),
    _starts("google_oauth_token", "ya29.", then=f"{_URL64}{{40,}}"),
    _starts("google_refresh_token", "1//0", then=f"{_URL64}{{40,}}"),
    _beside("azure_storage_key", "accountkey", "sharedaccesskey", value="[A-Za-z0-9+/]{42,86}={1,2}"),
    Pattern(
        "azure_client_secret",
        ("Q~",),
        re.compile(f"{_LEFT}([\\w~.-]{{3}}\\dQ~[\\w~.-]{{31,34}})(?![\\w~.-])".encode()),
        4,
    ),
    Pattern(
        "azure_key",
        ("JQQJ99",),
        re.compile(f"{_LEFT}({_B62}{{52}}JQQJ99{_B62}{{24,28}}(?:==)?){_RIGHT}".encode()),
        52,
    ),
    Pattern(
        "azure_shared_access_signature",
        ("sig=",),
        re.compile(rb"""[?&;](?:amp;)?sig=([A-Za-z0-9+/%]{43,60}(?:%3[Dd]|=))(?![A-Za-z0-9])"""),
        5,
    ),
    _starts("pulumi_token", "pul-", then=f"{_HEX}{{40}}"),
    _starts("planetscale_token", "pscale_tkn_", "pscale_pw_", "pscale_oauth_", then="[A-Za-z0-9_.-]{32,}"),
    _starts("fly_token", "fm2_", then="[A-Za-z0-9+/]{80,}={0,2}"),
    Pattern(
        "terraform_token", (".atlasv1.",), re.compile(f"{_LEFT}({_B62}{{14}}\\.atlasv1\\.{_URL64}{{60,}})".encode()), 14
    ),
    _starts("digitalocean_token", "dop_v1_", "doo_v1_", "dor_v1_", then=f"{_HEX}{{64}}"),
    _starts("databricks_token", "dapi", then=f"{_HEX}{{32}}(?:-[0-9])?"),
    _beside("heroku_or_cloudflare_key", "heroku", "cloudflare", value=f"{_UUID}|{_URL64}{{37,40}}", between=_KEY),
    _starts("heroku_token", "HRKU-", then=f"{_URL64}{{36,}}"),
    _starts("vault_token", "hvs.", "hvb.", then=f"{_URL64}{{24,}}"),
    _starts("doppler_token", "dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", then="(?:[a-z0-9_-]+\\.)?[A-Za-z0-9]{40,44}"),
    _starts("supabase_token", "sbp_", then=f"{_HEX}{{40}}"),
    _starts("tailscale_key", "tskey-auth-", "tskey-api-", "tskey-client-", then=f"{_B62}{{8,}}-{_B62}{{16,}}"),
    _starts("grafana_token", "glsa_", then=f"{_B62}{{32}}_{_HEX}{{8}}"),
    _starts("new_relic_key", "NRAK-", then="[A-Z0-9]{27}"),
    # messages and money
    _starts(
        "slack_token",
        "xoxb-",
        "xoxp-",
        "xoxa-",
        "xoxr-",
        "xoxs-",
        "xoxe-",
        "xoxc-",
        "xoxd-",
        "xapp-",
        then="[0-9A-Za-z%-]{24,}",
    ),
    _starts("slack_webhook", "hooks.slack.com/", then=r"(?:services|workflows)/T\w{7,}/[AB]\w{7,}/\w{16,}"),
    _starts(
        "discord_webhook", "discord.com/api/", "discordapp.com/api/", then=f"webhooks/[0-9]{{17,20}}/{_URL64}{{60,}}"
    ),
    Pattern(
        "discord_token",
        ("discord",),
        re.compile(rb"""(?i:discord)[^\n]{0,60}?(?<![\w.-])([MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40})(?![\w.-])"""),
        any_case=True,
    ),
    Pattern(
        "telegram_token", (":AA",), re.compile(f"{_LEFT}([0-9]{{8,10}}:AA[\\w-]{{33}})(?![\\w-])".encode()), back=10
    ),
    *(_starts("twilio_key", f"SK{digit}", then=f"{_HEX}{{31}}") for digit in "0123456789abcdef"),
    _beside("twilio_auth_token", "twilio", value=f"{_HEX}{{32}}", between=_KEY),
    _starts("sendgrid_key", "SG.", then=f"{_URL64}{{22}}\\.{_URL64}{{43}}"),
    # Not after a dash: `cache-key-<hash>` is none.
    Pattern("mailgun_key", ("key-",), re.compile(f"{_LEFT}(?<![_-])key-({_HEX}{{32}}){_RIGHT}".encode())),
    Pattern("mailchimp_key", ("-us",), re.compile(f"{_LEFT}([0-9a-f]{{32}}-us[0-9]{{1,2}}){_RIGHT}".encode()), 32),
    _starts("stripe_key", "sk_live_", "rk_live_", "sk_test_", "rk_test_", then=f"{_B62}{{16,}}"),
    _starts("stripe_webhook_secret", "whsec_", then="[A-Za-z0-9+/]{32,}={0,2}"),
    _starts("shopify_token", "shpat_", "shpca_", "shppa_", "shpss_", then="[0-9a-fA-F]{32}"),
    _starts("square_token", "sq0atp-", "sq0csp-", then=f"{_URL64}{{22,43}}"),
    _starts("linear_key", "lin_api_", then=f"{_B62}{{40}}"),
    _starts("notion_token", "ntn_", then=f"{_B62}{{40,}}"),
    _starts("atlassian_token", "ATATT3", then=f"{_URL64}{{100,}}=?{_B62}*"),
    # any service
    _starts("json_web_token", "eyJ", then=f"{_URL64}{{8,}}\\.eyJ{_URL64}{{8,}}\\.{_URL64}{{20,}}"),
    Pattern(
        "private_key",
        ("-----BEGIN ",),
        # Lines of base64 follow, perhaps after headers, indented, quoted, or with their ends escaped as in JSON within
        # JSON. What was passed over is never tried in another way: `a: a: a: …` would take for ever.
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
            rb"""(?:\s|\\+[nrt]|\\*["'`]|[>|+,]|[A-Za-z-]++: [^\n\\]{0,80}+){0,120}+([A-Za-z0-9+/]{40,})"""
        ),
    ),
    _starts("putty_key", "PuTTY-User-Key-File-", then=r"[23]:[^\x00]{0,600}Private-Lines:", right=""),
    _starts("age_key", "AGE-SECRET-KEY-1", then="[0-9A-Z]{58}"),
    Pattern(
        "url_credentials",
        ("://",),
        re.compile(rb"""://[^\s/:@"'<>\\]{0,64}:([^\s/@"'<>\\]{6,128})@(?:\[[\w:.]+\]|[\w.-]+)"""),
    ),
    Pattern(
        "connection_string",
        ("password=", "pwd="),
        re.compile(rb"""(?i:;\s?(?:password|pwd)=)([^\s;"'<>\\(){}\[\]]{8,64})(?=[;"'\\\s]|$)"""),
        back=2,
        any_case=True,
    ),
    Pattern(
        "netrc_password",
        ("login",),
        re.compile(
            rf"""login{_SPACE}[^\s\\]{{1,100}}{_SPACE}password{_SPACE}([^\s\\"'`]{{8,}})""".encode(),
        ),
    ),
    Pattern(
        "basic_credentials",
        ("basic ",),
        re.compile(f"(?i:basic) ([A-Za-z0-9+/]{{12,}}={{0,2}}){_RIGHT}".encode()),
        any_case=True,
    ),
    _beside("bearer_token", "bearer", value=r"[A-Za-z0-9_\-.~+/]{32,}={0,2}"),
    _beside(
        "assigned_secret",
        *(
            "api_key",
            "apikey",
            "api-key",
            "secret_key",
            "secretkey",
            "access_token",
            "auth_token",
            "authtoken",
            "client_secret",
        ),
        value=r"[A-Za-z0-9_\-+/]{32,}={0,2}",
    ),
)

# Formats whose value has no form of its own: it must look drawn at random, or ordinary text would match.
MUST_LOOK_RANDOM = frozenset(
    "model_provider_key aws_secret heroku_or_cloudflare_key connection_string netrc_password bearer_token"
    " assigned_secret".split()
)

# What manuals print in the place of a value.
_PLACEHOLDERS = re.compile(
    rb"EXAMPLE|example|x{6}|X{6}|placeholder|PLACEHOLDER|redacted|REDACTED|changeme|your[_-]|YOUR[_-]|\*{4}|\.{4}"
    rb"|01234567|12345678|abcdefgh|ABCDEFGH|4eC39HqLyjW"  # the last is Stripe's own
    rb"|eyJzdWIiOiIxMjM0NTY3ODkw|eyJzb21lIjoicGF5bG9hZCJ9"  # the payloads of jwt.io and of PyJWT's manual
    rb"|czZCaGRSa3F0MzpnWDFmQmF0M2JW|gX1fBat3bV|7Fjfp0ZBr1KtDRbnfVdmIw"  # RFC 6749
    rb"|django-insecure-"  # what Django itself writes into every new project
)
_EXAMPLE_HOST = re.compile(
    rb"@(?:(?:[\w.-]+\.)?(?:example\.(?:com|org|net)|example|localhost|host|hostname)|127(?:\.\d+){3}|0\.0\.0\.0"
    rb"|\[::1?\])$"
)
_PASSWORD_WORDS = re.compile(
    rb"(?i)^(?:[$%{<\[(].*|.*[})\]>%]|pass\w*|pwd|secret|token|\w*password\w*|user\w*"
    rb"|(?:admin|guest|root|test|demo|postgres|mysql|mongo|redis|rabbit|hunter|letmein|qwerty|open sesame)\w{0,4})$"
)


# A name made of words: `openai_default_key_v2`.
_WORDS = re.compile(rb"(?:[A-Za-z]+|[0-9]{1,4}|[vV][0-9]+)(?:[_\-.+/]+(?:[A-Za-z]+|[0-9]{1,4}|[vV][0-9]+))+")


def is_secret(pattern: Pattern, match: "re.Match[bytes]") -> bool:
    """Whether a match is a value rather than what manuals and exercises write in its place."""
    value: bytes = match[match.lastindex or 0]
    if _PLACEHOLDERS.search(value):
        return False
    if pattern.name == "url_credentials":
        return not _EXAMPLE_HOST.search(match[0]) and _is_password(value)
    if pattern.name == "basic_credentials":
        user, colon, password = _decoded(value).partition(b":")
        return bool(user and colon) and (user + password).isascii() and _is_password(password)
    if pattern.name in MUST_LOOK_RANDOM:
        mixed = _kinds(value) >= 2 and any(48 <= c < 58 for c in value) and not _WORDS.fullmatch(value)
        return mixed and len(set(value)) >= min(10, len(value) * 2 // 3)
    return pattern.name == "private_key" or len(set(value)) >= 7


def _is_password(value: bytes) -> bool:
    """Whether it could be somebody's, at least 6 characters of two kinds, and is no word that stands for one."""
    return len(value) >= 6 and _kinds(value) >= 2 and not _PASSWORD_WORDS.match(value)


def _decoded(value: bytes) -> bytes:
    """The bytes that a text in base64 stands for; none when it is no such text."""
    try:
        decoded = binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        return b""
    return decoded if decoded.isascii() and decoded.decode().isprintable() else b""


def _kinds(value: bytes) -> int:
    """How many of digits, small letters, capitals and other signs stand in it."""
    kinds = (rb"[0-9]", rb"[a-z]", rb"[A-Z]", rb"[^0-9A-Za-z]")
    return sum(re.search(kind, value) is not None for kind in kinds)
