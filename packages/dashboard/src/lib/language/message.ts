/**
 * A text of the pages: with `{name}` for each value that is put in, and one form for each plural category of the language where
 * it depends on the number `n`.
 */
export type Message = string | PluralMessage

/** Forms by the categories of `Intl.PluralRules`; `n` chooses one. */
export type PluralMessage = { readonly [Category in Intl.LDMLPluralRule]?: string } & { readonly other: string }

/** The names between the braces of a message. */
export type ValuesOf<M> = M extends string
  ? Placeholders<M>
  : M extends { other: infer Other extends string }
    ? Placeholders<Other> | 'n'
    : never

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never

/** Texts and values of a message in turn: `['sent ', { name: 'n' }, ' of …']`. */
export function partsOf(text: string): (string | { name: string })[] {
  return text
    .split(/\{(\w+)\}/)
    .map((part, at) => (at % 2 === 1 ? { name: part } : part))
    .filter((part) => part !== '')
}
