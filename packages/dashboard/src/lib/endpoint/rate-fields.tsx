import { FieldProblem, type Problem, TextField, described } from '../parts/field.tsx'
import type { Reader } from '../reader/reader.ts'
import { RATE_PERIODS, type Typed } from './endpoint-input.ts'

/** How fast an endpoint is sent to, and which answers it wants to be asked again after. */
export function RateFields({
  typed: { rate, ratePeriod, retryStatuses },
  problemOf,
  reader: { text },
}: {
  typed: Typed
  problemOf?: (name: 'rate' | 'retryStatuses') => Problem | undefined
  reader: Reader
}) {
  const problem = problemOf?.('rate')
  return (
    <div class="cols">
      <div class="field">
        <label for="rate">{text('fact.rate')}</label>
        <div class="row nowrap">
          <input
            id="rate"
            name="rate"
            type="number"
            min="1"
            max="10000"
            value={rate}
            placeholder={text('none')}
            {...described('rate', { problem })}
          />
          <select name="ratePeriod" aria-label={text('form.period')}>
            {RATE_PERIODS.map((one) => (
              <option value={one} selected={one === ratePeriod}>
                {text(`portal.per_${one}`)}
              </option>
            ))}
          </select>
        </div>
        <FieldProblem id="rate" problem={problem} />
      </div>
      <TextField
        id="retryStatuses"
        label={text('form.retry_statuses')}
        value={retryStatuses}
        problem={problemOf?.('retryStatuses')}
        placeholder="409, 423"
        inputmode="numeric"
      />
    </div>
  )
}
