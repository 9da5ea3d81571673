"""Bugs that others had with these clients, by number: `owner/repo#n` on GitHub, one or more for each.

Each has a test of its number, `test_bug_07_…`, over HTTP; or it is in ELSEWHERE, since it is about access.
All of them apply to us: what one server got wrong with Entra, Okta or Ping, every server can.
"""

BUGS = {
    1: "MicrosoftDocs/azure-docs#30826",
    2: "Captain-P-Goldfish/SCIM-SDK#149 #167",
    3: "apache/directory-scimple#436 #447 #454",
    4: "simpleidserver/SimpleIdServer#164",
    5: "AzureAD/SCIMReferenceCode#10",
    6: "thomaspoignant/scim-patch#959",
    7: "ssoready/ssoready#182 #159",
    8: "pingidentity/scim2#174",
    9: "kortix-ai/suna#7297",
    10: "langwatch/langwatch#7131",
    11: "simpleidserver/SimpleIdServer#245",
    12: "wso2/product-is#5333",
    13: "Captain-P-Goldfish/SCIM-SDK#757, jelhub/scimgateway#111 #113, pingidentity/scim2#103",
    14: "rancher/rancher#54023",
    15: "bitwarden/server#2919",
    16: "scimmyjs/scimmy#79, fleetdm/fleet#50724, Infisical/infisical#6471, "
    "FusionAuth/fusionauth-issues#2869, BerriAI/litellm#34209, Captain-P-Goldfish/scim-for-keycloak#90 #107",
    17: "wso2/product-is#8498",
    18: "scimmyjs/scimmy#86",
    19: "rancher/rancher#54025",
    20: "ssoready/ssoready#155",
    21: "grokability/snipe-it#14597 #19526",
    22: "getsentry/sentry-docs#16258, getsentry/sentry#27971",
    23: "coder/coder#15828, FusionAuth/fusionauth-issues#1871",
    24: "Unleash/unleash#9336",
    25: "thomaspoignant/scim-patch#42 #106, Captain-P-Goldfish/SCIM-SDK#416, ssoready/ssoready#249",
    26: "Captain-P-Goldfish/SCIM-SDK#680 #668",
    27: "thomaspoignant/scim-patch#208, Captain-P-Goldfish/SCIM-SDK#193",
    28: "Captain-P-Goldfish/scim-for-keycloak#26, simpleidserver/SimpleIdServer#494, pingidentity/scim2#224",
    29: "Captain-P-Goldfish/SCIM-SDK#541",
    30: "imulab/go-scim#72",
    31: "apache/directory-scimple#694, SAP-archive/scimono#140",
    32: "limosa-io/laravel-scim-server#34",
    33: "lightdash/lightdash#25676",
    34: "simpleidserver/SimpleIdServer#73",
    35: "MicrosoftDocs/azure-docs#94189 #116775, pond/scimitar#20",
    36: "grokability/snipe-it#11913 #14708 #14138",
    37: "OctopusDeploy/Issues#9841, better-auth/better-auth#10419",
    38: "goauthentik/authentik#25837 #16455",
    39: "eneo-ai/eneo#443",
    40: "Metatavu/keycloak-scim-server#67 #109",
    41: "ory/polis#4067",
    42: "getsentry/sentry#117860, FusionAuth/fusionauth-issues#1776 #3149",
    43: "lightdash/lightdash#28062 #15035",
    44: "sourcegraph/sourcegraph-public-snapshot#49325",
    45: "rancher/rancher#54869 #55776 #52996",
    46: "simstudioai/sim#7567",
    47: "jelhub/scimgateway#95",
}
# About access, not about answers: a principal that isn't the login, bindings orphaned by a rename, everybody
# gone with the provider; rights of the old name and of the new one.
ELSEWHERE = {
    45: (
        "tests/access/test_subjects.py::test_name_is_exactly_what_the_template_says",
        "tests/reconcile/test_shards.py::test_everybody_renamed_has_the_new_name_before_the_old_one_goes",
        "tests/reconcile/test_guard.py::test_missing_inputs_freeze_and_their_return_thaws_without_a_write",
    ),
    46: (
        "tests/e2e/test_renames.py::test_a_new_name_that_gives_more_waits",
        "tests/e2e/test_policies.py::test_renamed_group_moves",
    ),
}
