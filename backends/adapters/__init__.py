"""Other people's recurrent layers as backends; each library is imported when its backend is asked for."""
