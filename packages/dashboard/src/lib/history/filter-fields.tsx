import type { PlainKey } from '../language/text.ts'
import { Select } from '../parts/select.tsx'
import type { Reader } from '../reader/reader.ts'
import { DEFAULT_RANGE, RANGES, STATUSES } from './delivery-choices.ts'

/** Choices with their names in the language of the reader. */
export function namedChoices(
  choices: readonly (readonly [value: string, name: PlainKey, ...unknown[]])[],
  { text }: Reader,
): (readonly [value: string, shown: string])[] {
  return choices.map(([value, name]) => [value, text(name)])
}

export function StatusField({ value, reader }: { value: string | undefined; reader: Reader }) {
  const { text } = reader
  return (
    <Select
      name="status"
      label={text('column.status')}
      value={value}
      choices={[['', text('filter.any_status')], ...namedChoices(STATUSES, reader)]}
    />
  )
}

/** A choice among the types of the catalog; without one a field. */
export function TypeField({
  value,
  types,
  reader: { text },
}: {
  value: string | undefined
  types: readonly string[]
  reader: Reader
}) {
  const label = text('column.type')
  return types.length === 0 ? (
    <input type="text" name="type" aria-label={label} placeholder={label} value={value ?? ''} />
  ) : (
    <Select
      name="type"
      label={label}
      value={value}
      choices={[['', text('filter.all_types')], ...types.map((type) => [type, type] as const)]}
    />
  )
}

export function TimeField({ value, reader }: { value: string | undefined; reader: Reader }) {
  return (
    <Select
      name="time"
      label={reader.text('filter.time')}
      value={value}
      none={DEFAULT_RANGE}
      choices={namedChoices(RANGES, reader)}
    />
  )
}
