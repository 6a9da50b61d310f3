import type { Context } from 'hono'
import type { Sent, Visit } from './visit.ts'
import { withoutNul } from './without-nul.ts'

/** The fields of a form, by their names. */
export type FormValues = Readonly<Record<string, unknown>>

/** Reads the form of a request; undefined if its body is none, such as one whose boundary is missing. */
export async function readForm(c: Context): Promise<FormValues | undefined> {
  try {
    return await c.req.parseBody({ all: true })
  } catch {
    // The parser says nothing about the cause that a reader could act on.
    return undefined
  }
}

/** A visit with the fields of its form. @param by who sent it */
export function sentOf<V extends Visit>(visit: V, form: FormValues, by: string): Sent<V> {
  const fields = (name: string): string[] => {
    const value = form[name]
    const texts = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string' && one !== '')
    return texts.map((text) => withoutNul(name, text))
  }
  return { ...visit, fields, field: (name) => fields(name)[0], by }
}
