import { Schema } from 'mongoose'

/** One message of a chat, within its lead or session. */
export const messageSchema = new Schema(
  {
    id: String,
    type: { type: String, required: true },
    text: { type: String, required: true },
    timestamp: Number,
  },
  { _id: false },
)
