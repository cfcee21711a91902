"""Codes of models and conversations."""

from __future__ import annotations

from osiris_core.catalogue.entry import ErrorEntry

MODELS = (
    ErrorEntry("OSR-LLM-001", "the provider's package is not installed", "install the extra that the message names"),
    ErrorEntry("OSR-LLM-002", "no key is set", "set the variable that the message names, in the environment or .env"),
    ErrorEntry("OSR-LLM-003", "the key was refused", "check the key in the variable that the message names"),
    ErrorEntry("OSR-LLM-004", "the key may not do that", "have the model or the project allowed for the key"),
    ErrorEntry("OSR-LLM-005", "there is no such model", "`osiris llm models` lists those of the service"),
    ErrorEntry("OSR-LLM-006", "the service refused the request", "read its message; another model may take it"),
    ErrorEntry("OSR-LLM-007", "the conversation is too long for the model", "use a model with a larger context"),
    ErrorEntry("OSR-LLM-008", "the account has nothing left", "top it up, or use another provider"),
    ErrorEntry("OSR-LLM-009", "too many requests", "wait, or use another provider"),
    ErrorEntry("OSR-LLM-010", "the service is overloaded or not ready", "try again later"),
    ErrorEntry("OSR-LLM-011", "the service cannot be reached", "check `base_url`, the network, and that it runs"),
    ErrorEntry("OSR-LLM-012", "the service did not answer in time", "try again, or use a faster model"),
    ErrorEntry("OSR-LLM-013", "the reply broke off", "try again"),
    ErrorEntry("OSR-LLM-015", "the model called a tool that nobody offered", "try again, or use another model"),
    ErrorEntry("OSR-LLM-016", "the reply cannot be used", "try again, or use another model"),
    ErrorEntry(
        "OSR-LLM-017",
        "a key would be sent without encryption",
        "use https, or set allow_insecure: true for a network you trust",
    ),
    ErrorEntry("OSR-LLM-018", "the local model cannot be used", "check the path of the GGUF file and the memory"),
    ErrorEntry("OSR-LLM-019", "the replay has no such call", "record the conversation again"),
    ErrorEntry("OSR-LLM-020", "the recording cannot be read", "check its path; each line is one recorded call"),
    ErrorEntry("OSR-LLM-021", "no provider is chosen", "set llm.provider, or use --provider; see `osiris llm list`"),
    ErrorEntry("OSR-LLM-022", "no model is chosen", "set llm.model, or use --model; see `osiris llm models`"),
    ErrorEntry("OSR-LLM-023", "a provider's options cannot be used", "mend them in osiris.yaml under llm.providers"),
)

CONVERSATION = (
    ErrorEntry("OSR-CHAT-001", "the model's reply is not JSON", "try again, or use another model"),
    ErrorEntry("OSR-CHAT-002", "the model's plan cannot become a pipeline", "say the wish in other words"),
    ErrorEntry(
        "OSR-CHAT-003", "a query of the plan cannot be read", "say the wish in other words, or mend it with /edit"
    ),
    ErrorEntry("OSR-CHAT-004", "the plan names a table that is not there", "`osiris discover` shows the tables"),
    ErrorEntry(
        "OSR-CHAT-005", "the plan names a destination or mode that is not there", "name another one in the wish"
    ),
    ErrorEntry("OSR-CHAT-006", "a prompt of one's own cannot be used", "mend the placeholder at the marked place"),
    ErrorEntry("OSR-CHAT-007", "the plan names a column that is not there", "`osiris discover` shows the columns"),
    ErrorEntry(
        "OSR-CHAT-010", "a secret would be sent to the model", "take it out of the wish; /privacy shows what is sent"
    ),
    ErrorEntry("OSR-CHAT-011", "the conversation costs too much", "raise --max-cost or llm.max_cost"),
    ErrorEntry("OSR-CHAT-012", "the model takes too long", "raise llm.timeout, or use a faster model"),
    ErrorEntry("OSR-CHAT-013", "a reply broke off", "try again"),
    ErrorEntry("OSR-CHAT-014", "a reply was cut off for its length", "ask for less at once"),
    ErrorEntry("OSR-CHAT-015", "the model refused to answer", "say it in other words, or use another model"),
    ErrorEntry("OSR-CHAT-016", "a provider has a defect", "report it to the plugin's authors; use another provider"),
    ErrorEntry("OSR-CHAT-017", "a limit of cost cannot be kept", "leave it out, or use a model whose price is known"),
    ErrorEntry("OSR-CHAT-020", "what is to run is not what was approved", "look at it, then approve it"),
    ErrorEntry("OSR-CHAT-030", "no table is known that fits", "add a connection, or name the tables"),
    ErrorEntry("OSR-CHAT-031", "the pipeline cannot be used", "say it in other words; in a conversation, /edit it"),
    ErrorEntry("OSR-CHAT-032", "there is no draft for that", "say what you want first"),
    ErrorEntry("OSR-CHAT-033", "stopped at the keyboard", "say it again; nothing was lost"),
    ErrorEntry("OSR-CHAT-034", "the pipeline held a secret, which was not kept", "/edit it and write the value again"),
    ErrorEntry("OSR-CHAT-035", "a query cannot be answered", "see the message; /tables lists what there is"),
    ErrorEntry("OSR-CHAT-036", "a defect of Osiris stopped a conversation", "report it; the conversation goes on"),
    ErrorEntry("OSR-CHAT-040", "no such conversation", "`osiris chat --resume last` takes the latest"),
    ErrorEntry("OSR-CHAT-041", "conversations cannot be kept", "free space, or mend the permissions of .osiris"),
    ErrorEntry("OSR-CHAT-042", "the pipeline's file cannot be written", "choose another place with --out"),
    ErrorEntry("OSR-CHAT-043", "the conversation is open elsewhere", "close it there, then resume it again"),
    ErrorEntry("OSR-CHAT-050", "a file of prompts is there already", "--force writes over it"),
)

EVALUATION = (
    ErrorEntry("OSR-EVL-001", "a suite of wishes cannot be used", "mend what is marked"),
    ErrorEntry("OSR-EVL-002", "two wishes with one id", "give each an id of its own"),
    ErrorEntry("OSR-EVL-003", "a table of a suite has no file", "write its path relative to the suite"),
    ErrorEntry("OSR-EVL-004", "the suite has no such wish", "--only takes the ids of the suite"),
    ErrorEntry("OSR-EVL-005", "a report cannot be compared with", "name a file that --out has written"),
    ErrorEntry("OSR-EVL-006", "a right answer of a suite is no query", "mend it; it is DuckDB's SQL over `tables`"),
    ErrorEntry("OSR-EVL-007", "the report cannot be written", "choose another place with --out"),
)
