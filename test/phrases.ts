/** A phrase that the field has a term for; see the table in CONTRIBUTING.md. */
const PHRASES: readonly RegExp[] = [
  /lets?( \w+){0,2} out/,
  /letting( \w+){0,2} out/,
  /(puts?|putting|sets?|setting|keeps?|keeping|kept)( \w+)? aside/,
  /un-?h(old|olds|olding|eld)/,
  /(gives?|giving|given|gave)( \w+)? back/,
  /(falls?|fell|fallen|falling) through/,
  /in hand/,
  /under way/,
  /hand-?offs?/,
  /(hands?|handed|handing)( \w+)? off/,
  /upkeep\w*/,
  /(bury|buries|buried)/,
  /(un)?charge[sd]?/,
  /verdicts?/,
  /journeys?/,
  /at once/,
  /who(so)?ever/,
  /whom/,
  /refund(s|ed|ing)?/,
  /for ever(?!y)/,
]

// A line break counts as a space, with the marks of a comment or of a quotation on either side.
const SPACE = String.raw`(?:[ \t]+|[ \t]*\n[ \t]*(?:(?:\*|\/\/|--|>)[ \t]*)?)`

const ANYWHERE = PHRASES.map((phrase) => new RegExp(`\\b${phrase.source.replaceAll(' ', SPACE)}\\b`, 'gi'))

// Behind the marks of a comment, a list, a heading or a table, or behind the end of another sentence.
const AT_THE_BEGINNING =
  /(?:^[ \t]*(?:(?:\/\*\*|\*|\/\/|--(?!-)|>|#{1,6} |[-+] |\d+\. |\|)[ \t]*)*(?:\*\*|['"`(])*|[.!?:]["')*`]*\s+(?:(?:\*|\/\/|--|>)[ \t]+)?)(What|Who(?:so)?ever|Whom)\b/gm

/** Where a text has such a phrase, or a sentence that begins with *What*, *Whoever* or *Whom*: `12: at once`. */
export function phrasesIn(text: string): string[] {
  const found = [
    ...ANYWHERE.flatMap((phrase) => [...text.matchAll(phrase)].map((match) => [match.index, match[0]] as const)),
    ...[...text.matchAll(AT_THE_BEGINNING)].map(
      (match) => [match.index + match[0].length, `${match[1] ?? ''} …`] as const,
    ),
  ]
  return found
    .sort(([one], [other]) => one - other)
    .map(
      ([index, phrase]) =>
        `${text.slice(0, index).split('\n').length}: ${phrase.replaceAll(new RegExp(SPACE, 'g'), ' ')}`,
    )
}
