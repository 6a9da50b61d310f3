import { describePages } from '../pages.ts'
import { openApp } from './app.ts'

describePages(openApp)
