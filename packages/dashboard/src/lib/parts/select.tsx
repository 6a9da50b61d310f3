/** A filter of a list: the first choice is none. */
export function Select({
  name,
  label,
  value,
  choices,
  none = '',
}: {
  name: string
  label: string
  value: string | undefined
  choices: readonly (readonly [value: string, shown: string])[]
  /** The value that stands for none. */
  none?: string
}) {
  const isSet = value !== undefined && value !== none
  return (
    <select name={name} aria-label={label} class={isSet ? 'set' : undefined}>
      {choices.map(([choice, shown]) => (
        <option value={choice} selected={choice === (value ?? none)}>
          {shown}
        </option>
      ))}
    </select>
  )
}
