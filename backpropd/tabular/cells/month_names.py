"""Names of months and their abbreviations, also in the case that a language uses in dates."""

from collections.abc import Collection

# By language, the months from January on, each with its spellings.
_NAMES = {
    "English": "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sep/sept "
    "october/oct november/nov december/dec",
    "German": "januar/jan/jänner februar/feb märz/mär/maerz/mrz april/apr mai juni/jun juli/jul august/aug "
    "september/sep/sept oktober/okt november/nov dezember/dez",
    "French": "janvier/janv/jan février/fevrier/févr/fev/feb mars/mar avril/avr mai juin juillet/juil août/aout "
    "septembre/sept/sep octobre/oct novembre/nov décembre/decembre/déc/dec",
    "Spanish": "enero/ene febrero/feb marzo/mar abril/abr mayo/may junio/jun julio/jul agosto/ago "
    "septiembre/setiembre/sept/sep/set octubre/oct noviembre/nov diciembre/dic",
    "Italian": "gennaio/gen febbraio/feb marzo/mar aprile/apr maggio/mag giugno/giu luglio/lug agosto/ago "
    "settembre/set/sett ottobre/ott novembre/nov dicembre/dic",
    "Portuguese": "janeiro/jan fevereiro/fev março/marco/mar abril/abr maio/mai junho/jun julho/jul agosto/ago "
    "setembro/set outubro/out novembro/nov dezembro/dez",
    "Dutch": "januari/jan februari/feb maart/mrt april/apr mei juni/jun juli/jul augustus/aug september/sep/sept "
    "oktober/okt november/nov december/dec",
    "Swedish": "januari/jan februari/feb mars/mar april/apr maj juni/jun juli/jul augusti/aug september/sep/sept "
    "oktober/okt november/nov december/dec",
    "Danish": "januar/jan februar/feb marts/mar april/apr maj juni/jun juli/jul august/aug september/sep/sept "
    "oktober/okt november/nov december/dec",
    "Norwegian": "januar/jan februar/feb mars/mar april/apr mai juni/jun juli/jul august/aug september/sep/sept "
    "oktober/okt november/nov desember/des",
    "Finnish": "tammikuu/tammikuuta helmikuu/helmikuuta maaliskuu/maaliskuuta huhtikuu/huhtikuuta toukokuu/toukokuuta "
    "kesäkuu/kesäkuuta heinäkuu/heinäkuuta elokuu/elokuuta syyskuu/syyskuuta lokakuu/lokakuuta marraskuu/marraskuuta "
    "joulukuu/joulukuuta",
    "Polish": "stycznia/styczeń lutego/luty marca/marzec kwietnia/kwiecień maja/maj czerwca/czerwiec lipca/lipiec "
    "sierpnia/sierpień września/wrzesień października/październik listopada/listopad grudnia/grudzień",
    "Czech": "ledna/leden února/únor března/březen dubna/duben května/květen června/červen července/červenec "
    "srpna/srpen září října/říjen listopadu/listopad prosince/prosinec",
    "Russian": "января/январь/янв февраля/февраль/фев марта/март/мар апреля/апрель/апр мая/май июня/июнь/июн "
    "июля/июль/июл августа/август/авг сентября/сентябрь/сен октября/октябрь/окт ноября/ноябрь/ноя декабря/декабрь/дек",
    "Turkish": "ocak/oca şubat/şub mart/mar nisan/nis mayıs/may haziran/haz temmuz/tem ağustos/ağu eylül/eyl ekim/eki "
    "kasım/kas aralık/ara",
}  # fmt: skip
_MONTHS_OF = {
    language: {name: month for month, each in enumerate(months.split(), 1) for name in each.split("/")}
    for language, months in _NAMES.items()
}
MONTH_OF_NAME = {name: month for months in _MONTHS_OF.values() for name, month in months.items()}
# Without a day these more often begin a code or a name, as in `DES-01` and `Mart 2000`.
_RARE = {"des", "tem", "nis", "haz", "kas", "ara", "oca", "eki", "eyl", "mart", "gen", "set", "out", "ott", "mag"}
MIN_NAMES = 3  # different ones, that a column with such names has
MANY_NAMES = 6  # of which one may be of another language


def are_months(names: Collection[str]) -> bool:
    """Whether all names (in small letters) of a column are those of months, and not the beginnings of codes.

    Names that codes often begin with are months beside others of the same language.
    """
    if _RARE.isdisjoint(names):
        return True
    foreign = min(len(set(names) - months.keys()) for months in _MONTHS_OF.values())
    return len(names) >= MIN_NAMES and foreign <= (len(names) >= MANY_NAMES)
