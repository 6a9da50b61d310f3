import type { Reader } from '../reader/reader.ts'
import { Icon } from './icon.tsx'

/** Why a form was refused, above it. */
export function Refusal({ problem, reader: { text } }: { problem: string; reader: Reader }) {
  return (
    <div class="note bad" role="alert">
      <Icon name="failed" />
      <div>
        <h2>{text('form.refused')}</h2>
        <p lang="en">{problem}</p>
      </div>
    </div>
  )
}
