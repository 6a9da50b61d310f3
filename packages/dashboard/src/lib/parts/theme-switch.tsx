import type { Reader } from '../reader/reader.ts'
import { FormToken } from './form-token.tsx'
import { Icon } from './icon.tsx'

const THEMES = [
  ['system', 'screen', 'theme.system'],
  ['light', 'sun', 'theme.light'],
  ['dark', 'moon', 'theme.dark'],
] as const

/** Three buttons that store the colours which the reader wants. @param here the address to come back to */
export function ThemeSwitch({ here, reader }: { here: string; reader: Reader }) {
  const {
    text,
    link,
    preferences: { theme },
  } = reader
  return (
    <form method="post" action={link('preferences')}>
      <FormToken reader={reader} />
      <input type="hidden" name="back" value={here} />
      <div class="seg" role="group" aria-label={text('theme.label')}>
        {THEMES.map(([value, icon, label]) => (
          <button name="theme" value={value} aria-pressed={String((theme ?? 'system') === value)} title={text(label)}>
            <Icon name={icon} />
            <span class="sr">{text(label)}</span>
          </button>
        ))}
      </div>
    </form>
  )
}
