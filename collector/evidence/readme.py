"""The page that lies beside a month's evidence, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_README = """\
# {month} {company_ja} / {company_en}{synthetic}

## この証拠の確かめ方

`statement.json` は {month} の算定書、そのほかのファイルは算定に使った資料のすべてです。次の一行で、検針値から
算定書までを計算し直し、1バイトまで同じになること、どのファイルも書き換えられていないことを確かめられます。
必要なのは Python 3.9 以上だけで、Seiren は要りません。

    python3 verify.py

算定書に添えて印刷された「chain head」を付けて確かめてください。見つからなければ、資料が丸ごと作り直され
ています。

    python3 verify.py --head HASH

## How to check this evidence

`statement.json` is the statement of {month}; the other files are all that it was made from. One line works
it out again, from registers to the last byte, and checks every hash. It needs Python 3.9 or later, and no
Seiren:

    python3 verify.py

Give it the chain head that was printed beside the statement, too. Where it is not found, all of this was made
anew.

    python3 verify.py --head HASH

| file | 内容 | contents |
|---|---|---|
| statement.json | 算定書 | the statement |
| inputs/plan.json | モニタリング計画 | the monitoring plan: meters, boundary set, allocation, targets |
| inputs/installations.csv | 計器台帳 | what stood behind each point, corrections applied |
| inputs/readings/ | 算定の根拠となった検針値 | the readings that the statement rests on |
| inputs/values.csv | 検針値によらない電力量 | energy from elsewhere than registers |
| inputs/frozen.csv | 締めで固定した検針値 | registers that closed months have fixed |
| inputs/entered.csv | 手入力した検針値 | indexes that people entered |
| inputs/left_out.csv | 間引いた箇所 | readings after which others were left out |
| inputs/cells.csv | 検針値全体のハッシュ | how many readings there are of each point, and their hash |
| inputs/fuels.csv, production.csv | 燃料・生産量 | fuel and production lines, with their documents |
| inputs/fuel_factors.csv, electricity_factors.csv | 排出係数と出典 | factors, with their sources |
| cells/ | 検針値の全件 | all readings of each point, as they came |
| decisions.jsonl | 決定の記録 | decisions, each chained to the one before it |
| bills.csv | 電力会社の請求 | bills of days of the month |
| events.csv | エージェントの出来事 | what agents told of the month; what registers did is in the statement |
| verify.py | 検証プログラム | recomputes the month from the files above |
| MANIFEST.sha256 | ハッシュ一覧 | SHA-256 of each file (`sha256sum -c` reads it) |

Quality of a reading: 0 good, 1 uncertain, 2 bad. Times are local, with their offset. A cell that begins with
an apostrophe is text that a spreadsheet would run; the apostrophe is no part of it.
"""


def readme(month: str, plan: Mapping[str, Any]) -> str:
    """Return the page for a month and the plan that it follows."""
    company, synthetic = plan["company"], plan.get("synthetic")
    return _README.format(
        month=month,
        company_ja=company["ja"],
        company_en=company["en"],
        synthetic=f" (SYNTHETIC DATA {synthetic})" if synthetic else "",
    )
