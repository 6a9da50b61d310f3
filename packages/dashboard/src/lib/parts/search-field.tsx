import { Icon } from './icon.tsx'

/** The field of a form that searches a list. */
export function SearchField({
  name = 'q',
  label,
  value = '',
}: {
  /** @default 'q' */
  name?: string
  label: string
  value: string | undefined
}) {
  return (
    <div class="find">
      <Icon name="search" />
      <input type="search" name={name} placeholder={label} aria-label={label} value={value} />
    </div>
  )
}
