import { contentTypeProblem } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'

/** A body that is signed, stored and sent byte for byte in UTF-8, without Keepsend's envelope. */
export interface RawBody {
  /** Well-formed Unicode without NUL, at most 256 KiB in UTF-8; may be empty. */
  body: string
  /** Sent unchanged as `content-type`: a media type of at most 255 visible ASCII characters, with no charset but UTF-8. */
  contentType: string
}

/**
 * Validates a raw body, which callers without types may give wrongly; its size is checked elsewhere.
 *
 * @throws {EngineError} `invalid_event`, quoting nothing of the body
 */
export function checkRawBody(raw: unknown): RawBody {
  if (typeof raw !== 'object' || raw === null) {
    throw invalid(`raw must be an object with body and contentType; found ${raw === null ? 'null' : typeof raw}`)
  }
  const { body, contentType, ...others } = raw as Partial<Record<string, unknown>>
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    throw invalid(`raw must have body and contentType only; found ${JSON.stringify(unknown.slice(0, 100))}`)
  }
  if (typeof body !== 'string') throw invalid(`raw.body must be a text; found ${typeof body}`)
  if (!body.isWellFormed() || body.includes('\0')) {
    throw invalid('raw.body must be well-formed Unicode without a NUL: encode binary data as base64')
  }
  const problem = contentTypeProblem(contentType)
  if (problem !== undefined) throw invalid(`raw.contentType ${problem}`)
  return { body, contentType: contentType as string }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_event', message)
}
