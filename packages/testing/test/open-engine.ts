import { onTestFinished } from 'vitest'
import { type TestEngine, type TestEngineOptions, createTestEngine } from '../src/index.ts'

/** An engine that is closed after the test. */
export async function openEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const engine = await createTestEngine(options)
  onTestFinished(() => engine.close())
  return engine
}
