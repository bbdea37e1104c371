"""News of our own writing in English and Chinese, to make texts of any length from."""

from __future__ import annotations

import random

ENGLISH = (
    "Oil prices rose two per cent on Monday after producers agreed to cut output.",
    "The central bank kept its key rate at 4.25%, as most analysts had expected.",
    "A late goal gave the visitors their first away win since September.",
    "Researchers in Zürich say the battery keeps 90 % of its charge after 1,000 cycles.",
    "Parliament voted 312–288 to postpone the reform until next spring.",
    "Wheat harvests will fall short again, the ministry warned; exports may be limited.",
    "Shares of the chip maker fell 7.4 percent in heavy trading—its worst day this year.",
    "The ferry's crew rescued all 43 passengers before the fire spread to the bridge.",
    "“We never planned to sell the club,” its chairman told reporters on Tuesday.",
    "Storm warnings were lifted along the coast, but trains remain cancelled ½ of the day.",
    "The trial of the former mayor opens in March… his lawyers deny every charge.",
    "Tickets for the festival sold out in eleven minutes, a record for the open-air stage.",
    "Hospitals report 15% fewer operations since the nurses' strike began three weeks ago.",
    "An antitrust inquiry into online advertising (see p. 4) was widened to two more firms.",
)
CHINESE = (
    "国际油价周一上涨百分之二，主要产油国同意继续减产。",
    "央行宣布维持基准利率不变，符合市场预期！",
    "客队凭借补时阶段的进球取得赛季首个客场胜利",
    "科研人员称新型电池循环１０００次后仍保留九成电量。",
    "议会以312票对288票决定将改革推迟到明年春天",
    "受干旱影响，今年小麦产量预计下降，部分地区或限制出口",
    "芯片公司股价大跌７.４％，创下年内最大单日跌幅",
    "渡轮起火，船员在火势蔓延前救出全部43名乘客",
    "“我们从未打算出售俱乐部”，主席周二对记者表示",
    "沿海大风预警解除，但部分列车仍然停运…",
    "前市长案三月开庭，律师否认所有指控？",
    "露天音乐节门票十一分钟内售罄，刷新纪录",
    "护士罢工三周，医院手术量减少15%",
    "监管机构扩大对网络广告的反垄断调查，又有两家企业被列入",
    "高考改革方案公布：新增选考科目，取消文理分科 🎓",
    "新款电动汽车续航700公里，你会选择吗？",
)


def texts(sentences: tuple[str, ...], count: int, most: int) -> list[str]:
    """Return `count` texts of 1 to `most` sentences, always the same ones."""
    draw = random.Random(11)
    return [
        " ".join(draw.choices(sentences, k=1 + n * (most - 1) // (count - 1))) for n in range(count)
    ]
