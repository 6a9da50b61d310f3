import type { Child } from 'hono/jsx'
import { type Message, type ValuesOf, partsOf } from './message.ts'
import type { en } from './en.ts'

/** The keys of all messages. */
export type MessageKey = keyof typeof en

/** The keys of messages without values. */
export type PlainKey = { [Key in MessageKey]: [ValuesOf<(typeof en)[Key]>] extends [never] ? Key : never }[MessageKey]

/** The keys of messages whose only value is the number that chooses their form. */
export type PluralKey = {
  [Key in MessageKey]: [ValuesOf<(typeof en)[Key]>] extends ['n']
    ? ['n'] extends [ValuesOf<(typeof en)[Key]>]
      ? Key
      : never
    : never
}[MessageKey]

/** All messages of one language. A key that is missing does not compile. */
export type Messages = { readonly [Key in MessageKey]: (typeof en)[Key] extends string ? string : Message }

/** The texts that a host replaces, of one language. */
export type OwnMessages = { readonly [Key in MessageKey]?: Messages[Key] | undefined }

type Values<Key extends MessageKey, V> = [ValuesOf<(typeof en)[Key]>] extends [never]
  ? []
  : [values: { [Name in ValuesOf<(typeof en)[Key]>]: V | number }]

/** Says a message in the language of the reader. Numbers are grouped as the language does it. */
export interface Text {
  <Key extends MessageKey>(key: Key, ...values: Values<Key, string>): string
  /** With elements among the values, such as links and times. */
  rich<Key extends MessageKey>(key: Key, ...values: Values<Key, Child>): Child[]
}

export function createText(language: string, messages: Messages): Text {
  const plurals = new Intl.PluralRules(language)
  const numbers = new Intl.NumberFormat(language)
  const show = <V>(value: V | number): V | string => (typeof value === 'number' ? numbers.format(value) : value)

  function parts<V>(key: MessageKey, values: Readonly<Record<string, V | number>> = {}): (V | string)[] {
    const message: Message = messages[key]
    const form = typeof message === 'string' ? message : (message[plurals.select(Number(values['n']))] ?? message.other)
    return partsOf(form).map((part) => (typeof part === 'string' ? part : show(values[part.name] ?? '')))
  }

  const say = (key: MessageKey, values?: Record<string, string | number>): string => parts(key, values).join('')
  const rich = (key: MessageKey, values?: Record<string, Child>): Child[] => parts<Child>(key, values)
  return Object.assign(say, { rich }) as Text
}
