"""A secret of every format that the gate knows, drawn at random and put together from parts, so that no file of this
repository holds one.
"""

import random
import string
from base64 import b64encode

import polars as pl

from synthetic import privacy

B62, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
UPPER, URL64 = string.ascii_uppercase + string.digits, string.ascii_letters + string.digits + "-_"


def planted(seed):
    """A value of every format, in the words that stand around it."""
    draw = random.Random(seed)

    def b62(n):
        return "".join(draw.choices(B62, k=n - 3)) + "a7Q"  # every kind of letter, as almost every real value has

    def hexa(n):
        return "".join(draw.choices(HEX, k=n))

    def upper(n):
        return "".join(draw.choices(UPPER, k=n))

    def url64(n):
        return "".join(draw.choices(URL64, k=n - 3)) + "a7Q"

    def digits(n):
        return "".join(draw.choices("123456789", k=n))

    def uuid():
        return "-".join(map(hexa, (8, 4, 4, 4, 12)))

    return {
        "hugging_face_token": "hf_" + b62(34),
        "hugging_face_organization_token": "api_org_" + b62(34),
        "anthropic_key": "sk-ant-" + "api03-" + url64(93),
        "openai_project_key": "sk-" + "proj-" + url64(120),
        "openai_key": "sk-" + b62(48),
        "openrouter_key": "sk-or-" + "v1-" + hexa(64),
        "groq_key": "gsk_" + b62(52),
        "xai_key": "xai-" + b62(80),
        "nvidia_key": "nvapi-" + url64(64),
        "together_key": "tgp_" + "v1_" + url64(43),
        "cerebras_key": "csk-" + b62(48),
        "jina_key": "jina_" + url64(60),
        "elevenlabs_key": "sk_" + hexa(48),
        "tavily_key": "tvly-" + draw.choice(["dev-", ""]) + b62(32),
        "firecrawl_key": "fc-" + hexa(32),
        "langfuse_key": "sk-lf-" + uuid(),
        "daytona_key": "dtn_" + hexa(64),
        "modal_secret": "MODAL_" + "TOKEN_SECRET=as-" + b62(22),
        "replicate_token": "r8_" + b62(37),
        "perplexity_key": "pplx-" + b62(48),
        "prime_intellect_key": "pit_" + b62(64),
        "wandb_key_v1": "wandb_" + "v1_" + b62(60),
        "wandb_key": "WANDB_" + "API_KEY=" + hexa(40),
        "langsmith_key": "lsv2_" + "pt_" + hexa(32) + "_" + hexa(10),
        "pinecone_key": "pcsk_" + b62(6) + "_" + b62(60),
        "e2b_key": "e2b_" + hexa(40),
        "runpod_key": "rpa_" + upper(40),
        "kaggle_token": "KGAT_" + hexa(32),
        "model_provider_key": "COHERE_" + 'API_KEY = "' + b62(40) + '"',
        "github_token": draw.choice(["ghp_", "gho_", "ghs_"]) + b62(36),
        "github_fine_grained_token": "github_" + "pat_" + b62(22) + "_" + b62(59),
        "gitlab_token": "glpat-" + url64(20),
        "npm_token": "npm_" + b62(36),
        "package_index_token": "py" + "pi-" + "AgE" + url64(80),
        "rubygems_key": "rubygems_" + hexa(48),
        "docker_token": "dckr_" + "pat_" + url64(27),
        "postman_key": "PMAK-" + hexa(24) + "-" + hexa(34),
        "figma_token": "figd_" + url64(40),
        "one_password_token": "ops_" + "eyJ" + url64(300),
        "sentry_token": "sntrys_" + b62(80),
        "aws_key_id": draw.choice(["AKIA", "ASIA"]) + "".join(draw.choices(string.ascii_uppercase + "234567", k=16)),
        "aws_secret": "aws_" + "secret_access_key = " + b62(40),
        "aws_session_token": draw.choice(["IQoJ" + "b3JpZ2lu", "FwoG" + "ZXIvYXdz"]) + b62(300),
        "aws_bedrock_key": "ABSK" + "QmVkcm9ja0FQSUtleS" + b62(110),
        "google_api_key": "AIza" + url64(35),
        "google_oauth_secret": "GOCSPX-" + url64(28),
        "google_oauth_token": "ya29." + url64(60),
        "google_refresh_token": "1//0" + url64(60),
        "azure_storage_key": "AccountName=data;Account" + "Key=" + b62(86) + "==",
        "azure_client_secret": b62(3)[:3] + "8Q~" + b62(33),
        "azure_key": b62(52) + "JQQJ" + "99" + b62(26),
        "azure_shared_access_signature": "https://x.blob.core.windows.net/c?sv=2022&s" + "ig=" + b62(43) + "%3D",
        "pulumi_token": "pul-" + hexa(40),
        "planetscale_token": "pscale_" + "tkn_" + b62(43),
        "fly_token": "fm2_" + b62(120),
        "terraform_token": b62(14) + ".atlas" + "v1." + url64(67),
        "digitalocean_token": "dop_" + "v1_" + hexa(64),
        "databricks_token": "dapi" + hexa(32),
        "heroku_or_cloudflare_key": "CLOUDFLARE_" + "API_TOKEN: " + url64(40),
        "heroku_token": "HRKU-" + b62(40),
        "vault_token": "hvs." + url64(90),
        "doppler_token": "dp.pt." + b62(43),
        "supabase_token": "sbp_" + hexa(40),
        "tailscale_key": "tskey-" + "auth-" + b62(12) + "-" + b62(32),
        "grafana_token": "glsa_" + b62(32) + "_" + hexa(8),
        "new_relic_key": "NRAK-" + upper(27),
        "slack_token": "xoxb-" + digits(12) + "-" + digits(12) + "-" + b62(24),
        "slack_webhook": "https://hooks.slack.com/" + "services/T" + upper(9) + "/B" + upper(9) + "/" + b62(24),
        "discord_webhook": "https://discord.com/api/" + "webhooks/" + digits(18) + "/" + url64(68),
        "discord_token": "discord.run('" + "M" + b62(25) + "." + b62(6) + "." + url64(38) + "')",
        "telegram_token": digits(10) + ":AA" + url64(33),
        "twilio_key": "SK" + hexa(32),
        "twilio_auth_token": "TWILIO_" + "AUTH_TOKEN=" + hexa(32),
        "sendgrid_key": "SG." + url64(22) + "." + url64(43),
        "mailgun_key": "key-" + hexa(32),
        "mailchimp_key": hexa(32) + "-us" + "21",
        "stripe_key": "sk_" + "live_" + b62(24),
        "stripe_webhook_secret": "whsec_" + b62(32),
        "shopify_token": "shpat_" + hexa(32),
        "square_token": "sq0csp-" + url64(43),
        "linear_key": "lin_" + "api_" + b62(40),
        "notion_token": "ntn_" + b62(46),
        "atlassian_token": "ATATT3" + url64(180) + "=" + upper(8),
        "json_web_token": "eyJ" + url64(30) + ".eyJ" + url64(90) + "." + url64(43),
        "private_key": "-----BEGIN "
        + "RSA PRIVATE KEY-----\n"
        + b62(64)
        + "\n"
        + b62(64)
        + "\n-----END RSA PRIVATE KEY-----",
        "putty_key": "PuTTY-User-" + "Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n" + b62(48),
        "age_key": "AGE-" + "SECRET-KEY-1" + upper(58),
        "url_credentials": "postgres" + "://app:" + b62(16) + "@db.internal:5432/traces",
        "connection_string": "Server=db;User Id=app;Pass" + "word=" + b62(16) + ";Encrypt=true",
        "netrc_password": "machine api.wandb.ai\n  login user\n  pass" + "word " + hexa(36) + "a7d9",
        "basic_credentials": "Authorization: Ba" + "sic " + b64encode(("app:" + b62(14)).encode()).decode(),
        "bearer_token": "Authorization: Bear" + "er " + url64(48),
        "assigned_secret": '"client_' + 'secret": "' + b62(40) + '"',
    }


def found(text, **secrets):
    """The patterns that a text holds."""
    return {pattern for _, pattern in privacy.Search(secrets).hits(pl.Series([text]))}
