import { FieldProblem, type Problem, described } from '../../parts/field.tsx'
import { Icon } from '../../parts/icon.tsx'
import type { Reader } from '../../reader/reader.ts'
import { FILTER_WORDS, type FilterLine } from './filter-lines.ts'
import type { TypedFilter } from './filter-typed.ts'

/** Which events of its types an endpoint gets: lines in words, or a filter as JSON. */
export function FilterField({
  typed,
  problem,
  reader,
}: {
  typed: TypedFilter
  problem: Problem | undefined
  reader: Reader
}) {
  const { text } = reader
  return (
    <fieldset class="stack tight" id="filter-field">
      <legend>{text('portal.filter')}</legend>
      <p class="help" id="filter-help">
        {text.rich(typed.kind === 'words' ? 'portal.filter_words_what' : 'portal.filter_json_what', {
          data: <span class="mono">data</span>,
          example: <span class="mono">{'{ "data.amount": { "$gte": 100 } }'}</span>,
        })}
      </p>
      <input type="hidden" name="filter-kind" value={typed.kind} />
      {typed.kind === 'words' ? (
        typed.lines.map((line, at) => <Line line={line} at={at} problem={problem} reader={reader} />)
      ) : (
        <textarea
          id="filter"
          name="filter"
          rows={8}
          spellcheck={false}
          aria-label={text('portal.filter')}
          {...described('filter', { problem, by: 'filter-help' })}
        >
          {typed.text}
        </textarea>
      )}
      <FieldProblem id="filter" problem={problem} />
      <div class="row">
        {typed.kind === 'words' ? (
          <>
            <button class="btn sm" name="do" value="filter-add" formnovalidate>
              <Icon name="plus" />
              {text('portal.filter_add')}
            </button>
            <button class="btn sm ghost" name="do" value="filter-json" formnovalidate>
              {text('portal.filter_as_json')}
            </button>
          </>
        ) : (
          <button class="btn sm ghost" name="do" value="filter-words" formnovalidate>
            {text('portal.filter_in_words')}
          </button>
        )}
      </div>
    </fieldset>
  )
}

function Line({
  line,
  at,
  problem,
  reader: { text },
}: {
  line: FilterLine
  at: number
  problem: Problem | undefined
  reader: Reader
}) {
  const { path, operator, value } = line
  const number = at + 1
  const id = at === 0 ? 'filter' : undefined
  return (
    <div class="pair three">
      <input
        id={id}
        name={`filter-${at}-path`}
        value={path}
        class="mono"
        placeholder="channel.name"
        spellcheck={false}
        aria-label={text('portal.filter_field', { number })}
        {...(at === 0 ? described('filter', { problem, by: 'filter-help' }) : {})}
      />
      <select name={`filter-${at}-operator`} aria-label={text('portal.filter_operator', { number })}>
        {FILTER_WORDS.map((word) => (
          <option value={word} selected={word === operator}>
            {text(`portal.filter_${word}`)}
          </option>
        ))}
      </select>
      <input
        name={`filter-${at}-value`}
        value={value}
        spellcheck={false}
        aria-label={text('portal.filter_value', { number })}
      />
      <button
        class="btn icon ghost"
        name="do"
        value={`filter-remove-${at}`}
        formnovalidate
        aria-label={text('portal.filter_remove', { number })}
        title={text('portal.filter_remove', { number })}
      >
        <Icon name="x" />
      </button>
    </div>
  )
}
