//! Field and form tables of the kontrolluppgift format, as data.
//!
//! Source: Skatteverket, Kontrolluppgifter 8.0 (elements, types and facets of the schema; labels of the field list,
//! "Bilaga 2b"). 7.0 has the same fields; its differences (no KU68, three more codes of ersättning) are stated in
//! [`SchemaVersion`](super::SchemaVersion). Over the whole schema a fältkod and an element name are one to one.

use super::field::{Field, FormTable, KodLista, Place, Type};
use super::form::Form;

/// Every field of the schema, ascending by fältkod; a [`FieldIndex`](super::FieldIndex) is a place in this table.
#[rustfmt::skip]
pub static FIELDS: [Field; 176] = [
    Field { faltkod: 1, element: "AvdragenSkatt", label: "Avdragen preliminär skatt", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 2, element: "AvdragenUtlandskSkatt", label: "Avdragen utländsk skatt", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 3, element: "AvdragenKupongskatt", label: "Innehållen svensk kupongskatt", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 4, element: "Ersattningskod", label: "Typ av ersättning", kind: Type::Kod(KodLista::Ersattningskod) },
    Field { faltkod: 5, element: "ErsattningBelopp", label: "Ersättningsbelopp", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 11, element: "KontantBruttolonMm", label: "Kontant bruttolön m.m.", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 12, element: "FormanUtomBilDrivmedel", label: "Skattepliktiga förmåner utom bilförmån och drivmedel vid bilförmån", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 13, element: "BilformanUtomDrivmedel", label: "Skattepliktig bilförmån utom drivmedel", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 18, element: "DrivmedelVidBilforman", label: "Drivmedel vid bilförmån", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 20, element: "AndraKostnadsers", label: "Kostnadsersättningar som inte kryssats i ruta 050 - 051", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 21, element: "UnderlagRutarbete", label: "Underlag för skattereduktion för rutarbete", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 22, element: "UnderlagRotarbete", label: "Underlag för skattereduktion för rotarbete", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 25, element: "ErsMEgenavgifter", label: "Ersättningar som ligger till grund för egenavgifter", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 26, element: "Fartygssignal", label: "Fartygssignal", kind: Type::Text { min: 4, max: 4 } },
    Field { faltkod: 27, element: "AntalDagarSjoinkomst", label: "Antal dagar med sjöinkomst", kind: Type::Antal { min: 0, max: 366 } },
    Field { faltkod: 28, element: "NarfartFjarrfart", label: "Närfart/Fjärrfart", kind: Type::Kod(KodLista::NarfartFjarrfart) },
    Field { faltkod: 30, element: "Tjanstepension", label: "Tjänstepension", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 31, element: "ErsEjSocAvg", label: "Ersättningar som inte är underlag för socialavgifter", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 32, element: "ErsEjSocAvgEjJobbavd", label: "Ersättningar som inte är underlag för socialavgifter och som inte ger rätt till skattereduktion för arbetsinkomst (jobbskatteavdrag)", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 35, element: "Forskarskattenamnden", label: "Vissa inte skattepliktiga ersättningar till utländska experter m.fl. enligt beslut från Forskarskattenämnden", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 36, element: "ErsFormanBostadMmSINK", label: "Ersättning/förmån avseende bostad samt resa till och från anställning/förrättning", kind: Type::Belopp { min: 0, max: 999_999 } },
    Field { faltkod: 37, element: "VissaAvdrag", label: "Vissa avdrag", kind: Type::Belopp { min: 0, max: 999_999 } },
    Field { faltkod: 39, element: "Hyresersattning", label: "Hyresersättning", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 41, element: "BostadSmahus", label: "Bostad småhus", kind: Type::Kryss },
    Field { faltkod: 43, element: "BostadEjSmahus", label: "Bostad ej småhus", kind: Type::Kryss },
    Field { faltkod: 48, element: "FormanHarJusterats", label: "Förmån har justerats", kind: Type::Kryss },
    Field { faltkod: 49, element: "FormanSomPension", label: "Förmån som pension", kind: Type::Kryss },
    Field { faltkod: 50, element: "Bilersattning", label: "Enligt schablon Bilersättning", kind: Type::Kryss },
    Field { faltkod: 51, element: "Traktamente", label: "Enligt schablon Traktamente", kind: Type::Kryss },
    Field { faltkod: 59, element: "PersonaloptionForvarvAndel", label: "Personaloption som inte ska förmånsbeskattas har utnyttjats för förvärv av andel", kind: Type::Kryss },
    Field { faltkod: 60, element: "Arbetsstallenummer", label: "Arbetsställenummer från SCB", kind: Type::Antal { min: 0, max: 99_999 } },
    Field { faltkod: 61, element: "Delagare", label: "Delägare m.fl. i fåmansföretag", kind: Type::Kryss },
    Field { faltkod: 75, element: "LandskodUL", label: "Land", kind: Type::Kod(KodLista::Landskod) },
    Field { faltkod: 76, element: "LandskodTIN", label: "TIN-land", kind: Type::Kod(KodLista::Landskod) },
    Field { faltkod: 77, element: "Fodelseort", label: "Födelseort", kind: Type::Text { min: 1, max: 35 } },
    Field { faltkod: 78, element: "LandskodFodelseort", label: "Landskod", kind: Type::Kod(KodLista::Landskod) },
    Field { faltkod: 79, element: "LandskodHemvist", label: "Hemviststat", kind: Type::Kod(KodLista::Landskod) },
    Field { faltkod: 81, element: "LandskodMedborgare", label: "Medborgarskap", kind: Type::Kod(KodLista::Landskod) },
    Field { faltkod: 90, element: "LandskodArbetsland", label: "Arbetsland", kind: Type::Kod(KodLista::Landskod) },
    Field { faltkod: 91, element: "UtsandUnderTid", label: "Inkomsttagaren utsänd för arbete utomlands", kind: Type::Kod(KodLista::SandUnderTid) },
    Field { faltkod: 92, element: "Kategori", label: "Ett av alternativen A - F ska fyllas i", kind: Type::Kod(KodLista::KategoriKU14) },
    Field { faltkod: 93, element: "SocialAvgiftsAvtal", label: "Socialavgiftsavtal finns", kind: Type::Kryss },
    Field { faltkod: 201, element: "UppgiftslamnarId", label: "Organisationsnummer", kind: Type::Identitet },
    Field { faltkod: 202, element: "NamnUppgiftslamnare", label: "Uppgiftslämnarens namn", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 203, element: "Inkomstar", label: "Inkomstår", kind: Type::Inkomstar },
    Field { faltkod: 205, element: "Borttag", label: "Borttags-KU", kind: Type::Kryss },
    Field { faltkod: 215, element: "Inkomsttagare", label: "Personnummer", kind: Type::Identitet },
    Field { faltkod: 216, element: "Fornamn", label: "Förnamn", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 217, element: "Efternamn", label: "Efternamn", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 218, element: "Gatuadress", label: "Gatuadress", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 219, element: "Postnummer", label: "Postnummer", kind: Type::Text { min: 1, max: 9 } },
    Field { faltkod: 220, element: "Postort", label: "Postort", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 221, element: "LandskodPostort", label: "Land", kind: Type::Kod(KodLista::Landskod) },
    Field { faltkod: 222, element: "Fodelsetid", label: "Födelsetid", kind: Type::Fodelsetid },
    Field { faltkod: 223, element: "FartygetsNamn", label: "Fartygets namn", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 224, element: "AnnatIDNr", label: "Annat ID-nummer", kind: Type::Text { min: 1, max: 20 } },
    Field { faltkod: 226, element: "OrgNamn", label: "Organisationsnamn", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 228, element: "Gatuadress2", label: "Gatuadress forts.", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 230, element: "FriAdress", label: "Adress i fritt format", kind: Type::Text { min: 1, max: 350 } },
    Field { faltkod: 252, element: "TIN", label: "Utländskt skatteregistreringsnummer (TIN)", kind: Type::Text { min: 1, max: 20 } },
    Field { faltkod: 270, element: "KWhMatatsIn", label: "Antal kwh som matats in i anslutningspunkten under året", kind: Type::Antal { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 271, element: "KWhTagitsUt", label: "Antal kwh som tagits ut från anslutningspunkten under året", kind: Type::Antal { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 272, element: "AnlaggningsID", label: "AnläggningsID", kind: Type::AnlId },
    Field { faltkod: 273, element: "AndelIAnslPunkt", label: "Andel i anslutningspunkten (i procent)", kind: Type::Decimal { max_hundredths: 9999 } },
    Field { faltkod: 500, element: "Ranteinkomst", label: "Ränteinkomst", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 502, element: "Forfogarkonto", label: "Förfogarkonto (fler än fem)", kind: Type::Kryss },
    Field { faltkod: 503, element: "RanteinkomstEjKonto", label: "Ränteinkomst, ej konto", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 504, element: "AnnanInkomst", label: "Annan inkomst", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 506, element: "ULUtlandsktOrgnr", label: "Utländskt organisationsnummer", kind: Type::Text { min: 1, max: 13 } },
    Field { faltkod: 507, element: "Forsakringsavtalsnummer", label: "Försäkringsavtalsnummer", kind: Type::Text { min: 1, max: 30 } },
    Field { faltkod: 520, element: "RantaFordringsratter", label: "Sammanlagd ränta, fordringsrätter", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 522, element: "UtbetaltIVissaFall", label: "Utbetalt belopp i vissa fall", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 523, element: "Depanummer", label: "Depånummer", kind: Type::Belopp { min: 0, max: 999_999_999_999 } },
    Field { faltkod: 524, element: "AndelAvDepan", label: "Andel av depån", kind: Type::Decimal { max_hundredths: 9999 } },
    Field { faltkod: 525, element: "ErhallenRantekompensation", label: "Erhållen räntekompensation", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 528, element: "UnderlagForInvesteraravdrag", label: "Underlag för investeraravdrag", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 529, element: "TotUnderlagInvesteraravdrag", label: "Totalt underlag för investeraravdrag", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 530, element: "Betalningsar", label: "Inbetalning gjord året före inkomståret", kind: Type::Kryss },
    Field { faltkod: 531, element: "AterforingAvyttring", label: "Återföring på grund av avyttring", kind: Type::Kryss },
    Field { faltkod: 532, element: "AterforingUtflyttning", label: "Återföring på grund av utflyttning", kind: Type::Kryss },
    Field { faltkod: 533, element: "AterforingHogVardeoverforing", label: "Återföring på grund av för hög värdeöverföring", kind: Type::Kryss },
    Field { faltkod: 534, element: "AterforingInternaForvarv", label: "Återföring på grund av vissa interna förvärv", kind: Type::Kryss },
    Field { faltkod: 535, element: "DatumForvarv", label: "Datum när andelarna förvärvades", kind: Type::Datum },
    Field { faltkod: 536, element: "Region", label: "Region där företaget finns (NUTS 2-nivå)", kind: Type::Kod(KodLista::Region) },
    Field { faltkod: 537, element: "Verksamhetsomrade", label: "Företagets verksamhetsområde (Nace-gruppnivå)", kind: Type::Verksamhetsomrade },
    Field { faltkod: 540, element: "AvdragsgillRanta", label: "Betald och för året avdragsgill ränta", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 541, element: "TotaltInbetaldRanta", label: "Totalt inbetald ränta (anges endast om förskotts-ränta erlagts som inte är avdragsgill för året)", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 543, element: "BetaldRantekompensation", label: "Betald räntekompensation", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 544, element: "GemensamtLan", label: "Gemensamt lån för fler än fem personer där långivaren inte kan ange vilka samtliga personer är", kind: Type::Kryss },
    Field { faltkod: 551, element: "AvgiftArbetsloshetskassa", label: "Avgift till arbetslöshetskassa", kind: Type::Belopp { min: 0, max: 999_999 } },
    Field { faltkod: 560, element: "BetaldTomtrattsavgald", label: "Betald tomträttsavgäld", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 561, element: "Fastighetsbeteckning", label: "Fastighetsbeteckning", kind: Type::Text { min: 1, max: 36 } },
    Field { faltkod: 570, element: "Specifikationsnummer", label: "Specifikationsnummer", kind: Type::Antal { min: 1, max: 9_999_999_999 } },
    Field { faltkod: 571, element: "VPNamn", label: "Namn på aktien/andelen", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 572, element: "ISIN", label: "ISIN", kind: Type::Isin },
    Field { faltkod: 573, element: "AvyttradTillISK", label: "Avyttrad till investeringssparkonto", kind: Type::Kryss },
    Field { faltkod: 574, element: "UtbetaldUtdelning", label: "Utbetald utdelning m.m.", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 576, element: "AntalAvyttrade", label: "Antal avyttrade", kind: Type::Belopp { min: 0, max: 999_999_999_999 } },
    Field { faltkod: 578, element: "AntalKontrakt", label: "Antal kontrakt", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 581, element: "AnnanKupongErsattning", label: "Annan kupongskattepliktig ersättning än utdelning", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 599, element: "OkandVarde", label: "Okänt värde", kind: Type::Kryss },
    Field { faltkod: 600, element: "Kapitalvinst", label: "Kapitalvinst", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 601, element: "Kapitalforlust", label: "Kapitalförlust", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 602, element: "FondInteMarknadsnoterad", label: "Fonden är inte marknadsnoterad", kind: Type::Kryss },
    Field { faltkod: 606, element: "Rantefond", label: "Fonden är en räntefonnd", kind: Type::Kryss },
    Field { faltkod: 620, element: "BetaldPremie", label: "Betald premie i aktuell valuta/Inbetalning på pensionssparkonto", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 621, element: "MottagetGavobelopp", label: "Mottaget gåvobelopp", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 630, element: "BostRattBeteckning", label: "Bostadsrättens/ lägenhetens beteckning", kind: Type::Text { min: 1, max: 36 } },
    Field { faltkod: 631, element: "Overlatelsedatum", label: "Överlåtelsedatum (ÅÅÅÅMMDD)", kind: Type::Datum },
    Field { faltkod: 632, element: "OverlatenAndel", label: "Överlåten andel i procent", kind: Type::Decimal { max_hundredths: 10000 } },
    Field { faltkod: 633, element: "OverlatelseArvBodeln", label: "Överlåtelsen har skett genom arv, gåva, bodelning eller liknande", kind: Type::Kryss },
    Field { faltkod: 634, element: "Overlatelsepris", label: "Överlåtelsepris", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 635, element: "InreRepFondOverlatelse", label: "Bostadsrättens andel av innestående medel på inre reparationsfond vid överlåtelsen", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 636, element: "Kapitaltillskott", label: "Kapitaltillskott", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 638, element: "OaktaBostadsftg", label: "Bostadsföretaget var oäkta (inte privatbostadsföretag) vid ingången av inkomståret.", kind: Type::Kryss },
    Field { faltkod: 639, element: "Tillaggskopeskilling", label: "Tilläggsköpeskilling", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 640, element: "Forvarvsdatum", label: "Förvärvsdatum (ÅÅÅÅMMDD)", kind: Type::Datum },
    Field { faltkod: 642, element: "ForvarvArvBodeln", label: "Förvärvet har helt eller delvis skett genom arv, gåva, bodelning eller liknande", kind: Type::Kryss },
    Field { faltkod: 643, element: "Forvarvspris", label: "Förvärvspris", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 644, element: "InreRepFondForvarv", label: "Bostadsrättens andel av innestående medel på inre reparationsfond vid förvärvet", kind: Type::Belopp { min: 0, max: 9_999_999 } },
    Field { faltkod: 645, element: "AndelBRFFormogenhet1974", label: "Bostadsrättens andel av föreningens behållna förmögenhet den 1 januari 1974", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 646, element: "GemensamIndividuell", label: "Uppgifterna i denna blankett är", kind: Type::Kod(KodLista::GemensamIndividuell) },
    Field { faltkod: 652, element: "Kapitalunderlag", label: "Kapitalunderlag", kind: Type::Belopp { min: 0, max: 999_999_999_999 } },
    Field { faltkod: 654, element: "TypForsakring", label: "Typ av försäkring", kind: Type::Kod(KodLista::TypForsakring) },
    Field { faltkod: 660, element: "Belopp", label: "Belopp i den aktuella valutan", kind: Type::Belopp { min: 0, max: 999_999_999_999 } },
    Field { faltkod: 661, element: "Betalningskod", label: "Betalningskod", kind: Type::Kod(KodLista::Betalkod) },
    Field { faltkod: 662, element: "LandskodBetalning", label: "Land", kind: Type::Kod(KodLista::Landskod) },
    Field { faltkod: 663, element: "Betalningsdatum", label: "Betalningsdatum", kind: Type::Datum },
    Field { faltkod: 664, element: "Valutakod", label: "Valutakod", kind: Type::Kod(KodLista::Valutakod) },
    Field { faltkod: 671, element: "NamnBetalningsmottagare", label: "Namn på betalningsmottagare", kind: Type::Text { min: 1, max: 36 } },
    Field { faltkod: 680, element: "NamnForsakrGivare", label: "Namn", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 681, element: "AdrForsakrGivare", label: "Adress", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 682, element: "PostadrForsakrGivare", label: "Postadress", kind: Type::Text { min: 1, max: 50 } },
    Field { faltkod: 683, element: "SvensktRegNr", label: "Svenskt registreringsnummer", kind: Type::Identitet },
    Field { faltkod: 716, element: "Naringsbidrag", label: "Belopp som utbetalats/eftergetts", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 717, element: "Royalty", label: "Utbetalt belopp", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 730, element: "TillgodoUtdelning", label: "Tillgodoräknad utdelning", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 731, element: "DelUtdelnSkog", label: "Del av utdelningen som kommer från intäkt av skogsbruk", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 732, element: "SkplDelKapital", label: "Delägarens skattepliktiga andel i samfällighetens inkomster som är avkastning på kapital", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 740, element: "Kontoslag", label: "Kontrolluppgiften avser uttag från", kind: Type::Kod(KodLista::Kontoslag) },
    Field { faltkod: 743, element: "OverlatPantOvertag", label: "Överlåtelse, pantsättning eller övertagande av kontomedel", kind: Type::Kryss },
    Field { faltkod: 744, element: "UtbetaltBelopp", label: "Utbetalt belopp", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 745, element: "InsattBelopp", label: "Insatt belopp", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 746, element: "DatumInsattning", label: "Datum för insättning", kind: Type::Datum },
    Field { faltkod: 810, element: "ErhallenErsattning", label: "Erhållen ersättning", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 811, element: "ErlagdErsattning", label: "Erlagd ersättning", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 812, element: "TypAvOption", label: "Typ av option", kind: Type::Kod(KodLista::TypOption) },
    Field { faltkod: 813, element: "OptionenForfallen", label: "Optionen förfallen", kind: Type::Kryss },
    Field { faltkod: 814, element: "Redovisningsmetod", label: "Redovisningsmetod", kind: Type::Kod(KodLista::Redovisningsmetod) },
    Field { faltkod: 815, element: "Schablonintakt", label: "Schablonintäkt", kind: Type::Belopp { min: 0, max: 9_999_999_999 } },
    Field { faltkod: 817, element: "Kontonummer", label: "Kontonummer", kind: Type::Text { min: 1, max: 30 } },
    Field { faltkod: 851, element: "Redovisningsnummer", label: "Redovisningsnummer", kind: Type::Text { min: 1, max: 10 } },
    Field { faltkod: 853, element: "Avstamningsdag", label: "Avstämningsdag (fylls endast i vid flera utdelningar per år)", kind: Type::Datum },
    Field { faltkod: 854, element: "NummerAterbetalning", label: "Plusgiro-/bankgironummer för eventuell återbetalning", kind: Type::Text { min: 1, max: 13 } },
    Field { faltkod: 855, element: "Insattningsdatum", label: "Belopp i ruta 883 insatt på Skatteverkets plusgiro 1 60 90-3 den (datum)", kind: Type::Datum },
    Field { faltkod: 860, element: "UtdelningEjSkSkKSkatt", label: "A. Utdelning utan skattskyldighet för kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 861, element: "UtdelningNollProcKSkatt", label: "Utdelning, kr, 0 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 862, element: "UtdelningFemProcKSkatt", label: "Utdelning, kr, 5 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 863, element: "UtdelningTioProcKSkatt", label: "Utdelning, kr, 10 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 864, element: "UtdelningFemtonProcKSkatt", label: "Utdelning, kr, 15 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 865, element: "UtdelningTjugoProcKSkatt", label: "Utdelning, kr, 20 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 866, element: "UtdelningTjugofemProcKSkatt", label: "Utdelning, kr, 25 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 867, element: "UtdelningTrettioProcKSkatt", label: "Utdelning, kr, 30 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 869, element: "SaUtdelningAB", label: "Utdelning, Summa A och B", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 872, element: "KSkattFemProc", label: "5 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 873, element: "KSkattTioProc", label: "10 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 874, element: "KSkattFemtonProc", label: "15 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 875, element: "KSkattTjugoProc", label: "20 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 876, element: "KSkattTjugofemProc", label: "25 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 877, element: "KSkattTrettioProc", label: "30 procent kupongskatt", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 879, element: "SaKSkattAB", label: "Kupongskatt, Summa A och B", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 881, element: "SaTidigareRedUtdelning", label: "Summa tidigare redovisad utdelning för inkomståret", kind: Type::Belopp { min: 0, max: 999_999_999_999 } },
    Field { faltkod: 882, element: "TotalsummaUtdelning", label: "Utdelning, kr, TOTALSUMMA", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 883, element: "TotalsummaKSkatt", label: "Kupongskatt, kr, TOTALSUMMA", kind: Type::Belopp { min: -99_999_999_999, max: 999_999_999_999 } },
    Field { faltkod: 884, element: "UtdFranEuroclear", label: "Från Euroclear erhållen utdelning", kind: Type::Belopp { min: 0, max: 999_999_999_999 } },
    Field { faltkod: 890, element: "OrgnrUtdelandeBolag", label: "Organisationsnummer utdelande bolag", kind: Type::Identitet },
];

/// Every form of the schema, in the order of [`Form`].
#[rustfmt::skip]
pub static FORMS: [FormTable; 33] = [
    FormTable {
        form: Form::KU10, element: "KU10", nummer: "2300", name: "Från arbetsgivare m.fl.",
        body: &[
            Place { field: 5, required: false, label: "Kontant bruttolön m.m." }, // 011
            Place { field: 6, required: false, label: "Skattepliktiga förmåner utom bilförmån och drivmedel vid bilförmån" }, // 012
            Place { field: 7, required: false, label: "Skattepliktig bilförmån utom drivmedel" }, // 013
            Place { field: 8, required: false, label: "Drivmedel vid bilförmån" }, // 018
            Place { field: 9, required: false, label: "Kostnadsersättningar som inte kryssats i ruta 050 - 051" }, // 020
            Place { field: 10, required: false, label: "Underlag för skattereduktion för rutarbete" }, // 021
            Place { field: 11, required: false, label: "Underlag för skattereduktion för rotarbete" }, // 022
            Place { field: 12, required: false, label: "Ersättningar som ligger till grund för egenavgifter" }, // 025
            Place { field: 16, required: false, label: "Tjänstepension" }, // 030
            Place { field: 17, required: false, label: "Ersättningar som inte är underlag för socialavgifter" }, // 031
            Place { field: 18, required: false, label: "Ersättningar som inte är underlag för socialavgifter och som inte ger rätt till skattereduktion för arbetsinkomst (jobbskatteavdrag)" }, // 032
            Place { field: 19, required: false, label: "Vissa inte skattepliktiga ersättningar till utländska experter m.fl. enligt beslut från Forskarskattenämnden" }, // 035
            Place { field: 21, required: false, label: "Vissa avdrag" }, // 037
            Place { field: 22, required: false, label: "Hyresersättning" }, // 039
            Place { field: 23, required: false, label: "Bostad småhus" }, // 041
            Place { field: 24, required: false, label: "Bostad ej småhus" }, // 043
            Place { field: 25, required: false, label: "Förmån har justerats" }, // 048
            Place { field: 26, required: false, label: "Förmån som pension" }, // 049
            Place { field: 27, required: false, label: "Enligt schablon Bilersättning" }, // 050
            Place { field: 28, required: false, label: "Enligt schablon Traktamente" }, // 051
            Place { field: 29, required: false, label: "Personaloption som inte ska förmånsbeskattas har utnyttjats för förvärv av andel" }, // 059
            Place { field: 30, required: false, label: "Arbetsställenummer från SCB" }, // 060
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 41, required: false, label: "Socialavgiftsavtal finns" }, // 093
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Ta bort tidigare inlämnad kontrolluppgift" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Person-/organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU13, element: "KU13", nummer: "2340", name: "Särskild inkomstskatt för utomlands bosatta (SINK)",
        body: &[
            Place { field: 5, required: false, label: "Kontant bruttolön m.m." }, // 011
            Place { field: 6, required: false, label: "Skattepliktiga förmåner utom bilförmån och drivmedel vid bilförmån" }, // 012
            Place { field: 7, required: false, label: "Skattepliktig bilförmån utom drivmedel" }, // 013
            Place { field: 8, required: false, label: "Drivmedel vid bilförmån" }, // 018
            Place { field: 16, required: false, label: "Tjänstepension" }, // 030
            Place { field: 17, required: false, label: "Ersättningar som inte är underlag för socialavgifter" }, // 031
            Place { field: 20, required: false, label: "Ersättning/förmån avseende bostad samt resa till och från anställning/förrättning" }, // 036
            Place { field: 23, required: false, label: "Bostad småhus" }, // 041
            Place { field: 24, required: false, label: "Bostad ej småhus" }, // 043
            Place { field: 25, required: false, label: "Förmån har justerats" }, // 048
            Place { field: 29, required: false, label: "Personaloption som inte ska förmånsbeskattas har utnyttjats för förvärv av andel" }, // 059
            Place { field: 30, required: false, label: "Arbetsställenummer från SCB" }, // 060
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 41, required: false, label: "Socialavgiftsavtal finns" }, // 093
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Ta bort tidigare inlämnad kontrolluppgift" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 37, required: false, label: "Medborgarskap" }, // 081
            Place { field: 46, required: false, label: "Svenskt Person-/samordningsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Person-/organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU14, element: "KU14", nummer: "2303", name: "Pensionsgrundande inkomst och utbyte av kontrolluppgifter",
        body: &[
            Place { field: 5, required: false, label: "Kontant bruttolön m.m." }, // 011
            Place { field: 6, required: false, label: "Skattepliktiga förmåner utom bilförmån och drivmedel vid bilförmån" }, // 012
            Place { field: 7, required: false, label: "Skattepliktig bilförmån utom drivmedel" }, // 013
            Place { field: 8, required: false, label: "Drivmedel vid bilförmån" }, // 018
            Place { field: 9, required: false, label: "Kostnadsersättningar som inte kryssats i ruta 050 - 051" }, // 020
            Place { field: 10, required: false, label: "Underlag för skattereduktion för rutarbete" }, // 021
            Place { field: 11, required: false, label: "Underlag för skattereduktion för rotarbete" }, // 022
            Place { field: 12, required: false, label: "Ersättningar som ligger till grund för egenavgifter" }, // 025
            Place { field: 16, required: false, label: "Tjänstepension" }, // 030
            Place { field: 17, required: false, label: "Ersättningar som inte är underlag för socialavgifter" }, // 031
            Place { field: 19, required: false, label: "Vissa inte skattepliktiga ersättningar till utländska experter m.fl. enligt beslut från Forskarskattenämnden" }, // 035
            Place { field: 23, required: false, label: "Bostad småhus" }, // 041
            Place { field: 24, required: false, label: "Bostad ej småhus" }, // 043
            Place { field: 25, required: false, label: "Förmån har justerats" }, // 048
            Place { field: 26, required: false, label: "Förmån som pension" }, // 049
            Place { field: 27, required: false, label: "Enligt schablon Bilersättning" }, // 050
            Place { field: 28, required: false, label: "Enligt schablon Traktamente" }, // 051
            Place { field: 29, required: false, label: "Personaloption som inte ska förmånsbeskattas har utnyttjats för förvärv av andel" }, // 059
            Place { field: 30, required: false, label: "Arbetsställenummer från SCB" }, // 060
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 38, required: false, label: "Arbetsland" }, // 090
            Place { field: 39, required: false, label: "Inkomsttagaren utsänd för arbete utomlands" }, // 091
            Place { field: 40, required: false, label: "Ett av alternativen A - F ska fyllas i" }, // 092
            Place { field: 41, required: false, label: "Socialavgiftsavtal finns" }, // 093
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Ta bort tidigare inlämnad kontrolluppgift" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 37, required: false, label: "Medborgarskap" }, // 081
            Place { field: 46, required: false, label: "Person- /organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Person-/organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU16, element: "KU16", nummer: "2306", name: "Sjöinkomst",
        body: &[
            Place { field: 5, required: false, label: "Kontant bruttolön m.m." }, // 011
            Place { field: 6, required: false, label: "Skattepliktiga förmåner utom bilförmån och drivmedel vid bilförmån" }, // 012
            Place { field: 9, required: false, label: "Kostnadsersättningar som inte kryssats i ruta 051" }, // 020
            Place { field: 10, required: false, label: "Underlag för skattereduktion för rutarbete" }, // 021
            Place { field: 11, required: false, label: "Underlag för skattereduktion för rotarbete" }, // 022
            Place { field: 13, required: false, label: "Fartygssignal" }, // 026
            Place { field: 14, required: false, label: "Antal dagar med sjöinkomst" }, // 027
            Place { field: 15, required: false, label: "Närfart/Fjärrfart" }, // 028
            Place { field: 17, required: false, label: "Ersättningar som inte är underlag för socialavgifter" }, // 031
            Place { field: 28, required: false, label: "Enligt schablon Traktamente" }, // 051
            Place { field: 30, required: false, label: "Arbetsställenummer från SCB" }, // 060
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 41, required: false, label: "Socialavgiftsavtal finns" }, // 093
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Ta bort tidigare inlämnad kontrolluppgift" }, // 205
            Place { field: 54, required: false, label: "Fartygets namn" }, // 223
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Person-/organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU17, element: "KU17", nummer: "2307", name: "Särskild inkomstskatt (SINK) för utomlands bosatta med sjöinkomst",
        body: &[
            Place { field: 5, required: false, label: "Kontant bruttolön m.m." }, // 011
            Place { field: 6, required: false, label: "Skattepliktiga förmåner utom bilförmån och drivmedel vid bilförmån" }, // 012
            Place { field: 13, required: false, label: "Fartygssignal" }, // 026
            Place { field: 14, required: false, label: "Antal dagar med sjöinkomst" }, // 027
            Place { field: 15, required: false, label: "Närfart/Fjärrfart" }, // 028
            Place { field: 17, required: false, label: "Ersättningar som inte är underlag för socialavgifter" }, // 031
            Place { field: 30, required: false, label: "Arbetsställenummer från SCB" }, // 060
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 41, required: false, label: "Socialavgiftsavtal finns" }, // 093
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Ta bort tidigare inlämnad kontrolluppgift" }, // 205
            Place { field: 54, required: false, label: "Fartygets namn" }, // 223
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 37, required: false, label: "Medborgarskap" }, // 081
            Place { field: 46, required: false, label: "Svenskt person-/samordningsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Person-/organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU18, element: "KU18", nummer: "2310", name: "Pensions och försäkringsutbetalare m.fl.",
        body: &[
            Place { field: 0, required: false, label: "Avdragen skatt" }, // 001
            Place { field: 3, required: false, label: "Typ av ersättning" }, // 004
            Place { field: 4, required: false, label: "Ersättningsbelopp" }, // 005
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Ta bort tidigare inlämnad kontrolluppgift" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU19, element: "KU19", nummer: "2341", name: "Pensions och försäkringsutbetalare m.fl. Särskild inkomstskatt (SINK) för utomlands bosatta",
        body: &[
            Place { field: 0, required: false, label: "Avdragen skatt" }, // 001
            Place { field: 3, required: false, label: "Typ av ersättning" }, // 004
            Place { field: 4, required: false, label: "Ersättningsbelopp" }, // 005
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Ta bort tidigare inlämnad kontrolluppgift" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 37, required: false, label: "Medborgarskap" }, // 081
            Place { field: 46, required: false, label: "Svenskt person-/samordningsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU20, element: "KU20", nummer: "2323", name: "Ränteinkomst",
        body: &[
            Place { field: 0, required: false, label: "Avdragen preliminär skatt" }, // 001
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 64, required: false, label: "Ränteinkomst" }, // 500
            Place { field: 65, required: false, label: "Förfogarkonto (fler än fem)" }, // 502
            Place { field: 66, required: false, label: "Ränteinkomst, ej konto" }, // 503
            Place { field: 67, required: false, label: "Annan inkomst" }, // 504
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 34, required: false, label: "Födelseort" }, // 077
            Place { field: 35, required: false, label: "Landskod" }, // 078
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU21, element: "KU21", nummer: "2320", name: "Obligationer",
        body: &[
            Place { field: 0, required: false, label: "Avdragen preliminär skatt" }, // 001
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 67, required: false, label: "Annan inkomst" }, // 504
            Place { field: 70, required: false, label: "Sammanlagd ränta, fordringsrätter" }, // 520
            Place { field: 71, required: false, label: "Utbetalt belopp i vissa fall" }, // 522
            Place { field: 72, required: false, label: "Depånummer" }, // 523
            Place { field: 73, required: false, label: "Andel av depån" }, // 524
            Place { field: 74, required: false, label: "Erhållen räntekompensation" }, // 525
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 93, required: false, label: "Namn på fordringsrätten" }, // 571
            Place { field: 94, required: false, label: "ISIN" }, // 572
            Place { field: 95, required: false, label: "Avyttrad till investeringssparkonto" }, // 573
            Place { field: 100, required: false, label: "Okänt värde" }, // 599
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 34, required: false, label: "Födelseort" }, // 077
            Place { field: 35, required: false, label: "Land" }, // 078
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU25, element: "KU25", nummer: "2336", name: "Ränteutgift",
        body: &[
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 85, required: false, label: "Betald och för året avdragsgill ränta" }, // 540
            Place { field: 86, required: false, label: "Totalt inbetald ränta (anges endast om förskotts-ränta erlagts som inte är avdragsgill för året)" }, // 541
            Place { field: 87, required: false, label: "Betald räntekompensation" }, // 543
            Place { field: 88, required: false, label: "Gemensamt lån för fler än fem personer där långivaren inte kan ange vilka samtliga personer är" }, // 544
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU26, element: "KU26", nummer: "2337", name: "Tomträttsavgäld",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 90, required: false, label: "Betald tomträttsavgäld" }, // 560
            Place { field: 91, required: false, label: "Fastighetsbeteckning" }, // 561
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU28, element: "KU28", nummer: "2335", name: "Investeraravdrag",
        body: &[
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 75, required: false, label: "Underlag för investeraravdrag" }, // 528
            Place { field: 76, required: false, label: "Totalt underlag för investeraravdrag" }, // 529
            Place { field: 77, required: false, label: "Inbetalning gjord året före inkomståret" }, // 530
            Place { field: 78, required: false, label: "Återföring på grund av avyttring" }, // 531
            Place { field: 79, required: false, label: "Återföring på grund av utflyttning" }, // 532
            Place { field: 80, required: false, label: "Återföring på grund av för hög värdeöverföring" }, // 533
            Place { field: 81, required: false, label: "Återföring på grund av vissa interna förvärv" }, // 534
            Place { field: 82, required: false, label: "Datum när andelarna förvärvades" }, // 535
            Place { field: 83, required: false, label: "Region där företaget finns (NUTS 2-nivå)" }, // 536
            Place { field: 84, required: false, label: "Företagets verksamhetsområde (Nace-gruppnivå)" }, // 537
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU30, element: "KU30", nummer: "2312", name: "Investeringssparkonto - schablonintäkt",
        body: &[
            Place { field: 1, required: false, label: "Avdragen utländsk skatt" }, // 002
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 149, required: false, label: "Schablonintäkt" }, // 815
            Place { field: 150, required: false, label: "Kontonummer" }, // 817
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU31, element: "KU31", nummer: "2322", name: "Utdelning m.m. på delägarrätter",
        body: &[
            Place { field: 0, required: false, label: "Avdragen preliminär skatt" }, // 001
            Place { field: 1, required: false, label: "Avdragen utländsk skatt" }, // 002
            Place { field: 2, required: false, label: "Innehållen svensk kupongskatt" }, // 003
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 67, required: false, label: "Annan inkomst" }, // 504
            Place { field: 72, required: false, label: "Depånummer" }, // 523
            Place { field: 73, required: false, label: "Andel av depån" }, // 524
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 93, required: false, label: "Namn på aktien/andelen" }, // 571
            Place { field: 94, required: false, label: "ISIN" }, // 572
            Place { field: 96, required: false, label: "Utbetald utdelning m.m." }, // 574
            Place { field: 99, required: false, label: "Annan kupongskattepliktig ersättning än utdelning" }, // 581
            Place { field: 100, required: false, label: "Okänt värde" }, // 599
            Place { field: 152, required: false, label: "Avstämningsdag (fylls endast i vid flera utdelningar per år)" }, // 853
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 34, required: false, label: "Födelseort" }, // 077
            Place { field: 35, required: false, label: "Land" }, // 078
            Place { field: 36, required: false, label: "Hemviststat" }, // 079
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU32, element: "KU32", nummer: "2318", name: "Avyttring av delägar-/fordringsrätter",
        body: &[
            Place { field: 31, required: false, label: "Delägare m.fl. i fåmansföretag" }, // 061
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 72, required: false, label: "Depånummer" }, // 523
            Place { field: 73, required: false, label: "Andel av depån" }, // 524
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 93, required: false, label: "Namn på aktien/andelen" }, // 571
            Place { field: 94, required: false, label: "ISIN" }, // 572
            Place { field: 95, required: false, label: "Avyttrad till investeringssparkonto" }, // 573
            Place { field: 97, required: false, label: "Antal avyttrade" }, // 576
            Place { field: 100, required: false, label: "Okänt värde" }, // 599
            Place { field: 144, required: false, label: "Erhållen ersättning" }, // 810
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU34, element: "KU34", nummer: "2315", name: "Avyttring/utfärdande/slutförande av optioner",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 72, required: false, label: "Depånummer" }, // 523
            Place { field: 73, required: false, label: "Andel av depån" }, // 524
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 93, required: false, label: "Beteckning på optionen" }, // 571
            Place { field: 94, required: false, label: "ISIN" }, // 572
            Place { field: 95, required: false, label: "Avyttrad till investeringssparkonto" }, // 573
            Place { field: 98, required: false, label: "Antal kontrakt" }, // 578
            Place { field: 100, required: false, label: "Okänt värde" }, // 599
            Place { field: 144, required: false, label: "Erhållen ersättning" }, // 810
            Place { field: 146, required: false, label: "Typ av option" }, // 812
            Place { field: 147, required: false, label: "Optionen förfallen" }, // 813
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU35, element: "KU35", nummer: "2325", name: "Slutförande av terminer",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 72, required: false, label: "Depånummer" }, // 523
            Place { field: 73, required: false, label: "Andel av depån" }, // 524
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 93, required: false, label: "Beteckning på terminen" }, // 571
            Place { field: 94, required: false, label: "ISIN" }, // 572
            Place { field: 95, required: false, label: "Avyttrad till investeringssparkonto" }, // 573
            Place { field: 98, required: false, label: "Antal kontrakt" }, // 578
            Place { field: 100, required: false, label: "Okänt värde" }, // 599
            Place { field: 144, required: false, label: "Erhållen ersättning" }, // 810
            Place { field: 145, required: false, label: "Erlagd ersättning" }, // 811
            Place { field: 148, required: false, label: "Redovisningsmetod" }, // 814
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU40, element: "KU40", nummer: "2339", name: "Avyttring av fondandelar",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 93, required: false, label: "Namn på fonden" }, // 571
            Place { field: 94, required: false, label: "ISIN" }, // 572
            Place { field: 95, required: false, label: "Avyttrad till investeringssparkonto" }, // 573
            Place { field: 101, required: false, label: "Kapitalvinst" }, // 600
            Place { field: 102, required: false, label: "Kapitalförlust" }, // 601
            Place { field: 103, required: false, label: "Fonden är inte marknadsnoterad" }, // 602
            Place { field: 104, required: false, label: "Fonden är en räntefonnd" }, // 606
            Place { field: 144, required: false, label: "Erhållen ersättning" }, // 810
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 34, required: false, label: "Födelseort" }, // 077
            Place { field: 35, required: false, label: "Landskod" }, // 078
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU41, element: "KU41", nummer: "2313", name: "Fondandelar - schablonintäkt",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 93, required: false, label: "Namn på fonden" }, // 571
            Place { field: 94, required: false, label: "ISIN" }, // 572
            Place { field: 149, required: false, label: "Schablonintäkt" }, // 815
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 34, required: false, label: "Födelseort" }, // 077
            Place { field: 35, required: false, label: "Landskod" }, // 078
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU50, element: "KU50", nummer: "2338", name: "Pensionssparande",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 105, required: false, label: "Betald premie i aktuell valuta/Inbetalning på pensionssparkonto" }, // 620
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Person-/samordningsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 32, required: false, label: "Land" }, // 075
            Place { field: 42, required: true, label: "Svenskt organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
            Place { field: 68, required: false, label: "Utländskt organisationsnummer" }, // 506
        ],
    },
    FormTable {
        form: Form::KU52, element: "KU52", nummer: "2327", name: "Utländsk försäkring",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 69, required: false, label: "Försäkringsavtalsnummer" }, // 507
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 122, required: false, label: "Kapitalunderlag" }, // 652
            Place { field: 123, required: false, label: "Typ av försäkring" }, // 654
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 32, required: false, label: "Land" }, // 075
            Place { field: 42, required: true, label: "Svenskt organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
            Place { field: 68, required: false, label: "Utländskt organisationsnummer" }, // 506
        ],
    },
    FormTable {
        form: Form::KU53, element: "KU53", nummer: "2351", name: "Förmedlad försäkring",
        body: &[
            Place { field: 32, required: false, label: "Land" }, // 075
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 68, required: false, label: "Utländskt organisationsnummer" }, // 506
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 130, required: false, label: "Namn" }, // 680
            Place { field: 131, required: false, label: "Adress" }, // 681
            Place { field: 132, required: false, label: "Postadress" }, // 682
            Place { field: 133, required: false, label: "Svenskt registreringsnummer" }, // 683
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU55, element: "KU55", nummer: "2324", name: "Överlåtelse av bostadsrätt",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 107, required: false, label: "Bostadsrättens/ lägenhetens beteckning" }, // 630
            Place { field: 108, required: false, label: "Överlåtelsedatum (ÅÅÅÅMMDD)" }, // 631
            Place { field: 109, required: false, label: "Överlåten andel i procent" }, // 632
            Place { field: 110, required: false, label: "Överlåtelsen har skett genom arv, gåva, bodelning eller liknande" }, // 633
            Place { field: 111, required: false, label: "Överlåtelsepris" }, // 634
            Place { field: 112, required: false, label: "Bostadsrättens andel av innestående medel på inre reparationsfond vid överlåtelsen" }, // 635
            Place { field: 113, required: false, label: "Kapitaltillskott" }, // 636
            Place { field: 114, required: false, label: "Bostadsföretaget var oäkta (inte privatbostadsföretag) vid ingången av inkomståret." }, // 638
            Place { field: 115, required: false, label: "Tilläggsköpeskilling" }, // 639
            Place { field: 116, required: false, label: "Förvärvsdatum (ÅÅÅÅMMDD)" }, // 640
            Place { field: 117, required: false, label: "Förvärvet har helt eller delvis skett genom arv, gåva, bodelning eller liknande" }, // 642
            Place { field: 118, required: false, label: "Förvärvspris" }, // 643
            Place { field: 119, required: false, label: "Bostadsrättens andel av innestående medel på inre reparationsfond vid förvärvet" }, // 644
            Place { field: 120, required: false, label: "Bostadsrättens andel av föreningens behållna förmögenhet den 1 januari 1974" }, // 645
            Place { field: 121, required: false, label: "Uppgifterna i denna blankett är" }, // 646
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU65, element: "KU65", nummer: "2314", name: "Gåva",
        body: &[
            Place { field: 44, required: true, label: "Period (år)" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 106, required: false, label: "Mottaget gåvobelopp" }, // 621
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU66, element: "KU66", nummer: "2350", name: "Förnybar el",
        body: &[
            Place { field: 44, required: true, label: "Period (år)" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 60, required: false, label: "Antal kwh som matats in i anslutningspunkten under året" }, // 270
            Place { field: 61, required: false, label: "Antal kwh som tagits ut från anslutningspunkten under året" }, // 271
            Place { field: 62, required: false, label: "AnläggningsID" }, // 272
            Place { field: 63, required: false, label: "Andel i anslutningspunkten (i procent)" }, // 273
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU68, element: "KU68", nummer: "2346", name: "Avgift arbetslöshetskassa",
        body: &[
            Place { field: 44, required: true, label: "Period (år)" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 89, required: false, label: "Avgift till arbetslöshetskassa" }, // 551
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU70, element: "KU70", nummer: "2316", name: "Näringsbidrag och royalty",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 134, required: false, label: "Belopp som utbetalats/eftergetts" }, // 716
            Place { field: 135, required: false, label: "Utbetalt belopp" }, // 717
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU71, element: "KU71", nummer: "2319", name: "Uttag från bl.a. skogskonto",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 139, required: false, label: "Kontrolluppgiften avser uttag från" }, // 740
            Place { field: 140, required: false, label: "Överlåtelse, pantsättning eller övertagande av kontomedel" }, // 743
            Place { field: 141, required: false, label: "Utbetalt belopp" }, // 744
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU72, element: "KU72", nummer: "2321", name: "Insättning på bl.a. skogskonto",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 139, required: false, label: "Kontrolluppgiften avser insättning på" }, // 740
            Place { field: 142, required: false, label: "Insatt belopp" }, // 745
            Place { field: 143, required: false, label: "Datum för insättning" }, // 746
        ],
        recipient: &[
            Place { field: 33, required: false, label: "TIN-land" }, // 076
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
            Place { field: 59, required: false, label: "Utländskt skatteregistreringsnummer (TIN)" }, // 252
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU73, element: "KU73", nummer: "2317", name: "Utdelning m.m. samfällighet",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 136, required: false, label: "Tillgodoräknad utdelning" }, // 730
            Place { field: 137, required: false, label: "Del av utdelningen som kommer från intäkt av skogsbruk" }, // 731
            Place { field: 138, required: false, label: "Delägarens skattepliktiga andel i samfällighetens inkomster som är avkastning på kapital" }, // 732
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Personnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 55, required: false, label: "Annat ID-nummer" }, // 224
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU80, element: "KU80", nummer: "2329", name: "Betalning från utlandet",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 124, required: false, label: "Belopp i den aktuella valutan" }, // 660
            Place { field: 126, required: false, label: "Land" }, // 662
            Place { field: 127, required: false, label: "Betalningsdatum" }, // 663
            Place { field: 128, required: false, label: "Valutakod" }, // 664
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KU81, element: "KU81", nummer: "2328", name: "Betalning till utlandet",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Borttags-KU" }, // 205
            Place { field: 92, required: true, label: "Specifikationsnummer" }, // 570
            Place { field: 124, required: false, label: "Belopp i den aktuella valutan" }, // 660
            Place { field: 125, required: false, label: "Betalningskod" }, // 661
            Place { field: 126, required: false, label: "Land" }, // 662
            Place { field: 127, required: false, label: "Betalningsdatum" }, // 663
            Place { field: 128, required: false, label: "Valutakod" }, // 664
            Place { field: 129, required: false, label: "Namn på betalningsmottagare" }, // 671
        ],
        recipient: &[
            Place { field: 46, required: false, label: "Person-/organisationsnummer" }, // 215
            Place { field: 47, required: false, label: "Förnamn" }, // 216
            Place { field: 48, required: false, label: "Efternamn" }, // 217
            Place { field: 49, required: false, label: "Gatuadress" }, // 218
            Place { field: 50, required: false, label: "Postnummer" }, // 219
            Place { field: 51, required: false, label: "Postort" }, // 220
            Place { field: 52, required: false, label: "Land" }, // 221
            Place { field: 53, required: false, label: "Födelsetid" }, // 222
            Place { field: 56, required: false, label: "Organisationsnamn" }, // 226
            Place { field: 57, required: false, label: "Gatuadress forts." }, // 228
            Place { field: 58, required: false, label: "Adress i fritt format" }, // 230
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
    FormTable {
        form: Form::KupongS, element: "KupongS", nummer: "3715", name: "Redovisning Kupongskatt i avstämningsbolag",
        body: &[
            Place { field: 44, required: true, label: "Inkomstår" }, // 203
            Place { field: 45, required: false, label: "Denna redovisning tar bort tidigare inlämnad redovisning" }, // 205
            Place { field: 93, required: false, label: "Namn på aktien" }, // 571
            Place { field: 94, required: false, label: "ISIN" }, // 572
            Place { field: 151, required: true, label: "Redovisningsnummer" }, // 851
            Place { field: 152, required: false, label: "Avstämningsdag" }, // 853
            Place { field: 153, required: false, label: "Plusgiro-/bankgironummer för eventuell återbetalning" }, // 854
            Place { field: 154, required: false, label: "Belopp i ruta 883 insatt på Skatteverkets plusgiro 1 60 90-3 den (datum)" }, // 855
            Place { field: 155, required: false, label: "A. Utdelning utan skattskyldighet för kupongskatt" }, // 860
            Place { field: 156, required: false, label: "Utdelning, kr, 0 procent kupongskatt" }, // 861
            Place { field: 157, required: false, label: "Utdelning, kr, 5 procent kupongskatt" }, // 862
            Place { field: 158, required: false, label: "Utdelning, kr, 10 procent kupongskatt" }, // 863
            Place { field: 159, required: false, label: "Utdelning, kr, 15 procent kupongskatt" }, // 864
            Place { field: 160, required: false, label: "Utdelning, kr, 20 procent kupongskatt" }, // 865
            Place { field: 161, required: false, label: "Utdelning, kr, 25 procent kupongskatt" }, // 866
            Place { field: 162, required: false, label: "Utdelning, kr, 30 procent kupongskatt" }, // 867
            Place { field: 163, required: false, label: "Utdelning, Summa A och B" }, // 869
            Place { field: 164, required: false, label: "5 procent kupongskatt" }, // 872
            Place { field: 165, required: false, label: "10 procent kupongskatt" }, // 873
            Place { field: 166, required: false, label: "15 procent kupongskatt" }, // 874
            Place { field: 167, required: false, label: "20 procent kupongskatt" }, // 875
            Place { field: 168, required: false, label: "25 procent kupongskatt" }, // 876
            Place { field: 169, required: false, label: "30 procent kupongskatt" }, // 877
            Place { field: 170, required: false, label: "Kupongskatt, Summa A och B" }, // 879
            Place { field: 171, required: false, label: "Summa tidigare redovisad utdelning för inkomståret" }, // 881
            Place { field: 172, required: false, label: "Utdelning, kr, TOTALSUMMA" }, // 882
            Place { field: 173, required: false, label: "Kupongskatt, kr, TOTALSUMMA" }, // 883
            Place { field: 174, required: false, label: "Från Euroclear erhållen utdelning" }, // 884
            Place { field: 175, required: false, label: "Organisationsnummer utdelande bolag" }, // 890
        ],
        recipient: &[
        ],
        sender: &[
            Place { field: 42, required: true, label: "Organisationsnummer" }, // 201
            Place { field: 43, required: false, label: "Uppgiftslämnarens namn" }, // 202
        ],
    },
];

/// Countries (8.0 = 7.0).
#[rustfmt::skip]
pub(super) static LANDSKOD: [&str; 251] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AN", "AO", "AQ",
    "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA", "BB", "BD",
    "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO",
    "BQ", "BR", "BS", "BT", "BV", "BW", "BY", "BZ", "CA", "CC",
    "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO",
    "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK",
    "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES", "ET",
    "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE",
    "GF", "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR",
    "GS", "GT", "GU", "GW", "GY", "HK", "HM", "HN", "HR", "HT",
    "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS",
    "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM",
    "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI",
    "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD",
    "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP",
    "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ",
    "NA", "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR",
    "NU", "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL",
    "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO",
    "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SH",
    "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST",
    "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ",
    "TK", "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW", "TZ",
    "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG",
    "VI", "VN", "VU", "WF", "WS", "XK", "YE", "YT", "ZA", "ZM",
    "ZW",
];

/// Currencies.
#[rustfmt::skip]
pub(super) static VALUTAKOD: [&str; 155] = [
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG",
    "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF", "BMD", "BND",
    "BOB", "BRL", "BSD", "BTN", "BWP", "BYR", "BZD", "CAD", "CDF",
    "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF",
    "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP",
    "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD",
    "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR",
    "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW",
    "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL",
    "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRO",
    "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO",
    "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR",
    "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD",
    "SCR", "SDG", "SEK", "SGD", "SHP", "SLL", "SOS", "SRD", "SSP",
    "STD", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY",
    "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VEF",
    "VND", "VUV", "WST", "XAF", "XCD", "XOF", "XPF", "YER", "ZAR",
    "ZMK", "ZWL",
];

/// Payment codes.
#[rustfmt::skip]
pub(super) static BETALKOD: [&str; 86] = [
    "101", "122", "130", "131", "140", "141", "142", "143", "150",
    "160", "161", "162", "163", "173", "200", "201", "202", "221",
    "223", "300", "301", "302", "303", "310", "321", "331", "401",
    "402", "403", "410", "411", "412", "413", "423", "430", "431",
    "440", "441", "442", "450", "451", "452", "460", "461", "462",
    "470", "473", "510", "520", "540", "550", "551", "552", "553",
    "560", "600", "601", "602", "603", "620", "622", "631", "633",
    "670", "681", "683", "701", "710", "712", "723", "751", "793",
    "801", "803", "831", "833", "881", "883", "893", "900", "902",
    "910", "912", "940", "941", "999",
];

/// Kinds of ersättning, 7.0.
#[rustfmt::skip]
pub(super) static ERSATTNINGSKOD_7: [&str; 47] = [
    "100", "101", "102", "103", "104", "105", "106", "107", "108",
    "111", "112", "113", "114", "120", "121", "200", "400", "402",
    "403", "404", "405", "406", "408", "409", "410", "411", "412",
    "420", "421", "422", "423", "424", "426", "427", "428", "429",
    "440", "441", "442", "443", "444", "450", "473", "481", "483",
    "486", "999",
];

/// Kinds of ersättning, 8.0.
#[rustfmt::skip]
pub(super) static ERSATTNINGSKOD_8: [&str; 44] = [
    "100", "101", "103", "104", "105", "106", "107", "108", "111",
    "112", "113", "114", "120", "121", "200", "400", "402", "403",
    "404", "405", "406", "408", "409", "410", "411", "412", "420",
    "421", "422", "423", "424", "426", "427", "428", "429", "442",
    "443", "444", "450", "473", "481", "483", "486", "999",
];

/// Code list `SandUnderTidTYPE`.
#[rustfmt::skip]
pub(super) static SAND_UNDER_TID: [&str; 3] = [
    "A", "B", "C",
];

/// Code list `KategoriKU14TYPE`.
#[rustfmt::skip]
pub(super) static KATEGORI_KU14: [&str; 6] = [
    "A", "B", "C", "D", "E", "F",
];

/// Code list `NarfartFjarrfartTYPE`.
#[rustfmt::skip]
pub(super) static NARFART_FJARRFART: [&str; 2] = [
    "F", "N",
];

/// Code list `RegionTYPE`.
#[rustfmt::skip]
pub(super) static REGION: [&str; 8] = [
    "SE11", "SE12", "SE21", "SE22", "SE23", "SE31", "SE32", "SE33",
];

/// Code list `TypOptionTYPE`.
#[rustfmt::skip]
pub(super) static TYP_OPTION: [&str; 2] = [
    "I", "U",
];

/// Code list `RedovisningsmetodTYPE`.
#[rustfmt::skip]
pub(super) static REDOVISNINGSMETOD: [&str; 2] = [
    "B", "N",
];

/// Code list `TypForsakringTYPE`.
#[rustfmt::skip]
pub(super) static TYP_FORSAKRING: [&str; 2] = [
    "K", "P",
];

/// Code list `GemensamIndividuellTYPE`.
#[rustfmt::skip]
pub(super) static GEMENSAM_INDIVIDUELL: [&str; 2] = [
    "G", "I",
];

/// Code list `KontoslagTYPE`.
#[rustfmt::skip]
pub(super) static KONTOSLAG: [&str; 3] = [
    "A", "S", "U",
];
